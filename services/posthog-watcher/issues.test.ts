import { startGithubStandIn } from "@signalbox/testing/github-stand-in.ts";
import { expect, test } from "vitest";
import {
  addEvents,
  addHistory,
  dayMs,
  hourMs,
  minuteMs,
  startAt,
  startWatcher,
  type Watcher,
} from "./watcher.fixture.ts";

const hour = startAt - 20 * minuteMs;
const type = "github.issue.create";

async function withIssues(env: Record<string, string> = {}) {
  const github = await startGithubStandIn();
  const own = {
    POSTHOG_MODE: "propose",
    POSTHOG_ISSUE_REPO: "acme/shop",
    GITHUB_TOKEN: github.token,
    GITHUB_API_URL: github.url,
  };
  const watcher = await startWatcher({ env: { ...own, ...env } });
  return {
    ...{ github, watcher },
    async [Symbol.asyncDispose]() {
      await watcher[Symbol.asyncDispose]();
      await github[Symbol.asyncDispose]();
    },
  };
}

const carryOut = (watcher: Watcher, { id, payload }: { id: string; payload: unknown }) =>
  watcher.call<{ result: unknown }>("/run/issue", { body: { taskId: id, type, payload, attempt: 1 }, as: "service" });

test("a finding may propose an issue, which waits, says what was found, and is written once", async () => {
  await using scene = await withIssues();
  const { watcher, github } = scene;
  addHistory(watcher, "other", { until: hour + 30 * dayMs, value: 300 });
  addHistory(watcher, "signed_up");
  await watcher.put("signups", { event: "signed_up", propose: { type } });
  await watcher.run();
  addEvents(watcher, "signed_up", { from: hour, to: hour + hourMs, value: 20 });
  await watcher.later(hourMs);
  const [task] = watcher.fleet.ofType(type);
  const [finding] = await watcher.findings();
  expect(task).toMatchObject({
    waitingFor: "approval",
    payload: { title: finding?.title, key: `finding:${finding?.id}` },
  });
  if (!task) throw new Error("nothing was proposed");
  expect((await carryOut(watcher, task)).body.error.code).toBe("not_approved");
  expect(github.issues).toEqual([]);

  Object.assign(task.approval ?? {}, { decidedBy: "person:operator" });
  expect((await carryOut(watcher, task)).body.result).toMatchObject({
    number: 1,
    isNew: true,
    url: expect.stringContaining("acme/shop"),
  });
  expect((await carryOut(watcher, task)).body.result).toMatchObject({ number: 1, isNew: false });
  expect(github.issues).toMatchObject([
    { title: finding?.title, labels: ["signalbox"], body: expect.stringContaining(finding?.id ?? "") },
  ]);
});

test("GitHub away is worth another try, a wrong token is not; where nothing may be done there, nothing is", async () => {
  await using scene = await withIssues();
  const { watcher, github } = scene;
  const task = () => watcher.fleet.add({ type, payload: { title: "a", body: "b" } });
  github.fail({ on: "api", kind: "lose", times: 1 });
  expect(await carryOut(watcher, task())).toMatchObject({ status: 503, body: { error: { code: "github_failed" } } });
  await using wrong = await withIssues({ GITHUB_TOKEN: "another-token" });
  const refused = await carryOut(wrong.watcher, wrong.watcher.fleet.add({ type, payload: { title: "a", body: "b" } }));
  expect(refused).toMatchObject({
    status: 422,
    body: { error: { code: "github_failed", message: expect.stringContaining("401") } },
  });
  await using still = await withIssues({ POSTHOG_MAY_ACT: "posthog" });
  const held = await carryOut(still.watcher, still.watcher.fleet.add({ type, payload: { title: "a", body: "b" } }));
  expect(held).toMatchObject({ status: 422, body: { error: { code: "not_allowed" } } });
  expect([...github.issues, ...wrong.github.issues, ...still.github.issues]).toEqual([]);
});
