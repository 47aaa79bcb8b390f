import { expect } from "vitest";
import { aTrace, toTask } from "./records.ts";
import { browserTest } from "./stage.ts";

const olderBy = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

browserTest(
  "the address is the filter: status, correlation and trace go to the API by its own names",
  async ({ fleet, open }) => {
    fleet.store(toTask({ type: "mine", status: "failed", correlationId: "order-17" }));
    fleet.store(toTask({ type: "other", status: "completed" }));
    const page = await open(`/tasks?status=failed&correlationId=order-17&traceId=${aTrace}`);
    await page.getByRole("link", { name: "mine" }).waitFor();

    const asked = fleet.orchestrator.asked.findLast(({ path, query }) => path === "/tasks" && query.has("traceId"));
    expect(Object.fromEntries(asked?.query ?? [])).toMatchObject({
      status: "failed",
      correlationId: "order-17",
      traceId: aTrace,
    });
    expect(await page.getByRole("link", { name: "other" }).count()).toBe(0);
    expect(await page.getByLabel("Filter tasks").inputValue()).toBe(
      `status:failed correlation:order-17 trace:${aTrace}`,
    );
  },
);

browserTest(
  "typing a filter changes the address, and an unknown key is an error that changes nothing",
  async ({ fleet, open }) => {
    fleet.store(toTask({ status: "failed" }));
    const page = await open("/tasks");
    await page.getByRole("link", { name: "echo" }).waitFor();
    await page.getByLabel("Filter tasks").fill("status:failed,waiting -source:github");
    await page.waitForURL("**/tasks?status=failed%2Cwaiting&-source=github");
    await page.getByText("loaded rows only").waitFor();
    await page.getByLabel("Filter tasks").fill("staus:failed");

    await page.getByText("There is no filter “staus”").waitFor();
    expect(page.url()).toContain("status=failed%2Cwaiting");
  },
);

browserTest("two pages while 200 tasks arrive: none is lost or doubled", async ({ fleet, open }) => {
  for (let index = 0; index < 80; index++)
    fleet.store(toTask({ type: `old-${index}`, createdAt: olderBy(200 - index) }));
  const page = await open("/tasks");
  await page.getByRole("link", { name: "old-79" }).waitFor();
  await fleet.connected();
  await page.getByRole("table", { name: "Tasks" }).hover();
  for (let index = 0; index < 200; index++) fleet.put(toTask({ type: `new-${index}` }), "created");
  await page.getByRole("button", { name: "200 new" }).waitFor();
  expect(await page.getByRole("link", { name: "old-79" }).isVisible()).toBe(true);
  await page.getByRole("button", { name: "200 new" }).click();
  await page.getByRole("link", { name: "new-199" }).waitFor();
  const scroller = page.getByLabel("Tasks", { exact: true }).first();
  await scroller.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await page.getByText("280 tasks loaded").waitFor();
  await scroller.evaluate((element) => element.scrollTo(0, element.scrollHeight));

  await page.getByRole("link", { name: "old-0", exact: true }).waitFor();
  await page.getByText("280 tasks loaded, newest first; that is all.").waitFor();
});

browserTest("a task that changes is changed in its row, without a reload", async ({ fleet, open }) => {
  const task = fleet.store(toTask({ type: "watched" }));
  const page = await open("/tasks");
  await page.getByRole("row", { name: /watched/ }).waitFor();
  await fleet.connected();
  fleet.put({ ...task, version: 2, status: "running", attempt: 1, startedAt: new Date().toISOString() }, "started");
  await page.getByRole("row", { name: /running watched/ }).waitFor();
  fleet.put({ ...task, version: 3, status: "completed", attempt: 1, result: {} }, "completed");

  await page.getByRole("row", { name: /completed watched/ }).waitFor();
});

browserTest("the keyboard alone moves through the list, opens a task and comes back", async ({ fleet, open }) => {
  for (const type of ["first", "second", "third"]) fleet.store(toTask({ type }));
  for (const id of fleet.tasks.keys()) fleet.readable(id);
  const page = await open("/tasks");
  await page.getByRole("link", { name: "third" }).waitFor();
  await page.keyboard.press("j");
  await page.locator(":focus", { hasText: "third" }).waitFor();
  await page.keyboard.press("j");
  await page.locator(":focus", { hasText: "second" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /second/ }).waitFor();
  await page.keyboard.press("Escape");

  await page.waitForURL("**/tasks");
});

browserTest("keys that come faster than frames lose no step: x j x j j x marks three", async ({ fleet, open }) => {
  for (let index = 0; index < 6; index++) fleet.store(toTask({ type: `echo.${index}` }));
  const page = await open("/tasks");
  await page.getByRole("link", { name: "echo.5" }).focus();
  await page.evaluate(() => {
    for (const key of "xjxjjx")
      document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  });
  await page.getByText("3 tasks selected").waitFor();

  const marked = await page.locator(".task-selected .row-link").allTextContents();
  expect(marked).toEqual(["echo.5", "echo.4", "echo.2"]);
});

browserTest(
  "a failed read says code, message and trace, and retry repairs it",
  async ({ fleet, open, expectComplaint }) => {
    expectComplaint(/503/);
    fleet.store(toTask({ type: "stored" }));
    let broken = true;
    const error = { error: { code: "unavailable", message: "The database is away.", traceId: aTrace } };
    fleet.orchestrator.on("GET /tasks", () =>
      broken ? { status: 503, body: error } : { body: { items: [...fleet.tasks.values()], nextCursor: null } },
    );
    const page = await open("/tasks");
    await page.getByText("The database is away.").first().waitFor();
    await page.getByText(`unavailable · trace ${aTrace}`).waitFor();
    broken = false;
    await page.getByRole("button", { name: "Retry" }).click();

    await page.getByRole("link", { name: "stored" }).waitFor();
  },
);

browserTest("a slow answer shows a skeleton, not an empty list", async ({ fleet, open }) => {
  fleet.store(toTask({ type: "late" }));
  const seen = Promise.withResolvers<void>();
  fleet.orchestrator.on("GET /tasks", () => ({
    body: { items: [...fleet.tasks.values()], nextCursor: null },
    after: seen.promise,
  }));
  const page = await open("/tasks");
  await page.getByRole("status", { name: "Loading" }).waitFor();
  expect(await page.getByText("No tasks yet").count()).toBe(0);
  seen.resolve();

  await page.getByRole("link", { name: "late" }).waitFor();
});
