import { expect } from "vitest";
import { toTask, toWaiting } from "./records.ts";
import { browserTest } from "./stage.ts";

browserTest(
  "the overview counts what needs a person, and a new approval is there at once, in the title too",
  async ({ fleet, open }) => {
    fleet.store(
      toTask({
        type: "echo",
        status: "failed",
        error: { code: "boom", message: "It broke." },
        finishedAt: new Date().toISOString(),
      }),
    );
    const page = await open("/");
    await page.getByRole("heading", { name: "1 thing needs you" }).waitFor();
    await fleet.connected();
    fleet.put(toWaiting(), "approval_requested");
    await page.getByRole("heading", { name: "2 things need you" }).waitFor();

    await page.waitForFunction(() => document.title === "(2) Overview · Signalbox");
    await page.getByRole("link", { name: "Review render.deploy" }).waitFor();
  },
);

browserTest("with nothing to do it says so", async ({ open }) => {
  const page = await open("/");

  await page.getByRole("heading", { name: /^All clear since \d\d:\d\d$/ }).waitFor();
  expect(await page.title()).toBe("Overview · Signalbox");
});

browserTest(
  "a service that stopped is shown with the reason, the others stay",
  async ({ fleet, open, expectComplaint }) => {
    expectComplaint(/ERR_CONNECTION_REFUSED/);
    const page = await open("/config");
    await page.getByRole("region", { name: "logging" }).getByText("ok", { exact: true }).waitFor();
    await fleet.logging.close();
    await page.getByRole("button", { name: "Check now" }).click();

    await page
      .getByRole("region", { name: "logging" })
      .getByText("logging cannot be reached from this page.")
      .waitFor();
    await page.getByRole("region", { name: "orchestrator" }).getByText("ok", { exact: true }).waitFor();
    expect(await page.getByRole("region").first().getAttribute("aria-label")).toBe("logging");
  },
);

browserTest(
  "a service that stops is shown within 20 s, without anybody asking",
  async ({ fleet, open, expectComplaint }) => {
    expectComplaint(/ERR_CONNECTION_REFUSED/);
    const page = await open("/config");
    const logging = page.getByRole("region", { name: "logging" });
    await logging.getByText("ok", { exact: true }).waitFor();
    await fleet.logging.close();

    await logging.getByText("not reachable", { exact: true }).waitFor({ timeout: 20_000 });
    await page.getByRole("region", { name: "orchestrator" }).getByText("ok", { exact: true }).waitFor();
  },
);

browserTest("settings that are missing or invalid come first, with what they say", async ({ fleet, open }) => {
  const settings = [
    { key: "DATABASE_URL", status: "set", required: true, secret: true },
    { key: "LOG_RETENTION_DAYS", status: "invalid", required: false, secret: false, message: "must be an integer" },
    { key: "INTERNAL_KEY_PREVIOUS", status: "missing", required: false, secret: true },
  ];
  fleet.logging.on("GET /config/validate", () => ({
    body: { service: "logging", ok: false, schemaHash: "abc", settings },
  }));
  const page = await open("/config");
  const table = page.getByRole("region", { name: "logging" }).getByRole("table", { name: "Settings to fix" });
  await table.getByRole("row", { name: /LOG_RETENTION_DAYS invalid must be an integer/ }).waitFor();

  expect(await table.getByRole("row").count()).toBe(2);
});

browserTest("the palette leads from a pasted trace to all of it", async ({ open }) => {
  const page = await open("/");
  await page.getByRole("heading", { name: "All clear" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("4bf92f3577b34da6a3ce929d0e0e4736");
  await page.keyboard.press("Enter");

  await page.waitForURL("**/trace/4bf92f3577b34da6a3ce929d0e0e4736");
});

browserTest("what is typed while the palette opens is in its box and does nothing else", async ({ open }) => {
  const page = await open("/settings");
  await page.getByRole("heading", { name: "Settings" }).waitFor();
  // As fast as hands never are: `c` alone would lead to a new task.
  await page.evaluate(() => {
    const press = (key: string, more = {}) =>
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
    press("k", { ctrlKey: true });
    for (const key of "config") press(key);
  });
  await page.getByRole("option", { name: /Config health/ }).waitFor();
  expect(await page.getByRole("combobox", { name: "Search or run a command" }).inputValue()).toBe("config");
  await page.keyboard.press("Enter");

  await page.waitForURL("**/config");
});

browserTest("g t leads to the tasks, and ? lists the keys of the screen", async ({ open }) => {
  const page = await open("/");
  await page.getByRole("heading", { name: "All clear" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("t");
  await page.waitForURL("**/tasks");
  await page.getByText("No tasks yet").waitFor();
  await page.keyboard.press("?");

  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).getByText("Next task").waitFor();
});
