import { expect } from "vitest";
import { toTask } from "./records.ts";
import { refusal } from "./scripted-service.ts";
import { browserTest } from "./stage.ts";

browserTest("a form made from the type's schema starts the task and opens it", async ({ fleet, open }) => {
  const page = await open("/new-task");
  await page.getByLabel("Text").fill("hello");
  await page.getByLabel("Mode").selectOption("loud");
  await page.getByRole("button", { name: "Start echo" }).click();
  await page.waitForURL("**/tasks/*");
  await page.getByRole("region", { name: "Payload" }).getByText('"hello"').waitFor();

  const asked = fleet.orchestrator.asked.find(({ method, path }) => method === "POST" && path === "/task");
  expect(asked?.body).toEqual({ type: "echo", payload: { text: "hello", mode: "loud" }, source: "dashboard" });
  expect(asked?.headers["idempotency-key"]).toMatch(/^dashboard-[0-9a-f]{32}$/);
});

browserTest("a double press makes one request", async ({ fleet, open }) => {
  const pressed = Promise.withResolvers<void>();
  fleet.orchestrator.on("POST /task", () => ({ status: 201, body: toTask(), after: pressed.promise }));
  const page = await open("/new-task?type=echo");
  await page.getByLabel("Text").fill("once");
  await page.getByRole("button", { name: "Start echo" }).dblclick();
  pressed.resolve();
  await page.waitForURL("**/tasks/*");

  expect(fleet.orchestrator.countOf("POST /task")).toBe(1);
});

browserTest("a missing field is said on the field, and nothing is sent", async ({ fleet, open }) => {
  const page = await open("/new-task?type=echo");
  await page.getByRole("button", { name: "Start echo" }).click();
  await page.getByText("This is required.").waitFor();

  expect(await page.getByLabel("Text").getAttribute("aria-invalid")).toBe("true");
  expect(fleet.orchestrator.countOf("POST /task")).toBe(0);
});

browserTest("what the service refuses lands on the field it names", async ({ fleet, open, expectComplaint }) => {
  expectComplaint(/400/);
  const refused = refusal(400, "invalid_request", "The payload is not what this type takes.", [
    { path: "/payload/text", message: "must not be a greeting" },
  ]);
  fleet.orchestrator.on("POST /task", () => refused);
  const page = await open("/new-task?type=echo");
  await page.getByLabel("Text").fill("hello");
  await page.getByRole("button", { name: "Start echo" }).click();

  await page.getByText("must not be a greeting", { exact: true }).waitFor();
  await page.locator(":focus[id='payload-text']").waitFor();
});

browserTest("switching between form and JSON loses nothing", async ({ open }) => {
  const page = await open("/new-task?type=echo");
  await page.getByLabel("Text").fill("kept");
  await page.getByRole("button", { name: "JSON" }).click();
  expect(JSON.parse(await page.getByLabel("JSON", { exact: true }).inputValue())).toEqual({
    text: "kept",
    mode: "plain",
  });
  await page.getByLabel("JSON", { exact: true }).fill('{"text":"changed","delayMs":5,"extra":{"deep":[1]}}');
  await page.getByRole("button", { name: "Form" }).click();

  expect(await page.getByLabel("Text").inputValue()).toBe("changed");
  expect(await page.getByLabel("Delay in ms").inputValue()).toBe("5");
  expect(JSON.parse(await page.getByLabel("Other fields").inputValue())).toEqual({ extra: { deep: [1] } });
});

browserTest("running a task again takes its payload over", async ({ fleet, open }) => {
  const task = fleet.store(toTask({ payload: { text: "again" }, correlationId: "order-17" }));
  fleet.readable(task.id);
  const page = await open(`/new-task?type=echo&from=${task.id}`);

  await page.waitForFunction(() => document.querySelector<HTMLInputElement>("#payload-text")?.value === "again");
});

browserTest("being asked to wait counts down and then lets go", async ({ fleet, open, expectComplaint }) => {
  expectComplaint(/429/);
  fleet.orchestrator.on("POST /task", () => ({
    ...refusal(429, "rate_limited", "Too many tasks at once."),
    headers: { "Retry-After": "2" },
  }));
  const page = await open("/new-task?type=echo");
  await page.getByLabel("Text").fill("hello");
  await page.getByRole("button", { name: "Start echo" }).click();
  await page.getByRole("button", { name: /^Wait [12] s$/ }).waitFor();

  await page.getByRole("button", { name: "Start echo" }).waitFor();
});
