import { expect } from "vitest";
import { credentials } from "./scripted-service.ts";
import { browserTest } from "./stage.ts";

browserTest(
  "signing in leads to where the address pointed, and keeps the password out of it",
  async ({ fleet, open }) => {
    const page = await open("/tasks?status=failed", { signedIn: false });
    await page.getByLabel("User").fill(credentials.user);
    await page.getByLabel("Password").fill(credentials.pass);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Tasks" }).waitFor();
    await fleet.connected();

    expect(page.url()).toMatch(/\/tasks\?status=failed$/);
  },
);

browserTest("a wrong password is said, and nothing else is asked for", async ({ fleet, open, expectComplaint }) => {
  expectComplaint(/401/);
  const page = await open("/", { signedIn: false });
  await page.getByLabel("User").fill("operator");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();

  await page.getByText("The user or the password is not right.").waitFor();
  expect(fleet.orchestrator.asked.map(({ path }) => path)).toEqual(["/config/validate"]);
  expect(fleet.handshakes).toBe(0);
});

browserTest("a tab that was told not to keep the sign-in asks again after a reload", async ({ open }) => {
  const page = await open("/", { signedIn: false });
  await page.getByLabel("User").fill(credentials.user);
  await page.getByLabel("Password").fill(credentials.pass);
  await page.getByLabel("Keep for this tab").uncheck();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "All clear" }).waitFor();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  await page.reload();

  await page.getByRole("button", { name: "Sign in" }).waitFor();
});

browserTest(
  "a sign-in that stops being accepted keeps the page, its address and what was typed",
  async ({ fleet, open, expectComplaint }) => {
    expectComplaint(/401|WebSocket/);
    const page = await open("/new-task?type=echo");
    await page.getByLabel("Text").fill("half a sentence");
    fleet.orchestrator.accepted = "changed";
    fleet.dropSockets();
    await page.getByRole("dialog").waitFor();
    expect(page.url()).toMatch(/\/new-task\?type=echo$/);

    fleet.orchestrator.accepted = Buffer.from("operator:new").toString("base64");
    await page.getByLabel("Password").fill("new");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await fleet.connected();

    expect(await page.getByLabel("Text").inputValue()).toBe("half a sentence");
  },
);

browserTest("signing out empties the storage and closes the socket", async ({ fleet, open }) => {
  const page = await open("/settings");
  await fleet.connected();
  await page.getByRole("button", { name: "Dark" }).click();
  const closed = new Promise((resolve) => [...fleet.sockets][0]?.once("close", resolve));
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await closed;

  expect(await page.evaluate(() => localStorage.length + sessionStorage.length)).toBe(0);
});
