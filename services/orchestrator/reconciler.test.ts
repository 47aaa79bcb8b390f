import type { Delivery } from "@signalbox/common/contracts/webhook.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { type GithubStandIn, startGithubStandIn } from "@signalbox/testing/github-stand-in.ts";
import { expect, test } from "vitest";
import { type Items, type Orchestrator, startOrchestrator } from "./orchestrator.fixture.ts";
import { nowhere, secret, withSecret } from "./webhooks.fixture.ts";

const push = { ref: "refs/heads/main", repository: { full_name: "acme/api" }, sender: { login: "ann" } };
/** Later than the first pause after a failed attempt. */
const ageSeconds = 120;

const settingsFor = (github: GithubStandIn, hooks: string) => ({
  ...withSecret,
  GITHUB_TOKEN: github.token,
  GITHUB_API_URL: github.url,
  GITHUB_HOOKS: hooks,
  GITHUB_RECONCILE_SECONDS: "1",
});

async function listArrived(box: Orchestrator): Promise<string[]> {
  const { items } = (await box.call<Items<Delivery>>("/webhooks/deliveries?limit=200")).body;
  return items.map(({ deliveryId }: { deliveryId: string }) => deliveryId);
}

const redeliveries = (github: GithubStandIn) => github.calls.filter((call) => call.startsWith("POST"));

test.concurrent("deliveries that never arrived are asked for, those alone, also by two orchestrators, and make one task each", async () => {
  await using database = await freshDatabase();
  await using github = await startGithubStandIn();
  const env = settingsFor(github, "acme/api:1000,acme:1001");
  await using one = await startOrchestrator({ env, database });
  await using other = await startOrchestrator({ env, database });
  await one.register(nowhere, [{ type: "github.event" }]);
  const url = `${other.url}/webhooks/github`;
  const hook = github.addHook({ owner: "acme/api", url, secret });
  const ofOrganisation = github.addHook({ owner: "acme", url, secret });
  const arrived = await github.deliver({ hookId: hook.id, event: "push", payload: push, ageSeconds });
  expect(arrived).toMatchObject({ status: "OK", status_code: 202 });

  github.fail({ on: "delivery", kind: "lose", times: 2 });
  github.fail({ on: "delivery", kind: "status", status: 502, times: 1 });
  const lost = [
    await github.deliver({ hookId: hook.id, event: "push", payload: push, ageSeconds }),
    await github.deliver({ hookId: ofOrganisation.id, event: "push", payload: push, ageSeconds }),
    await github.deliver({ hookId: hook.id, event: "star", payload: { action: "created" }, ageSeconds }),
  ];
  expect(lost.map(({ status_code }) => status_code)).toEqual([0, 0, 502]);
  await eventually(async () => (await listArrived(one)).length === 4, {
    what: "the lost deliveries",
    timeoutMs: 30_000,
  });
  const asked = github.calls.length;
  await eventually(() => github.calls.length > asked + 2, { what: "another look", timeoutMs: 30_000 });
  // A redelivery that takes longer than the next look is not in GitHub's list yet, and asked for once more.
  const again = github.deliveries().filter(({ redelivery }) => redelivery);
  expect([...new Set(again.map(({ guid }) => guid))].sort()).toEqual(lost.map(({ guid }) => guid).sort());
  expect(redeliveries(github).length).toBeLessThan(6);
  const { rows } = await database.pool.query("select count(*)::int as n from tasks");
  expect(rows).toEqual([{ n: 3 }]);
});

test.concurrent("what GitHub calls failed but is in the ledger, and what is too young or too old, is left alone", async () => {
  await using github = await startGithubStandIn();
  await using box = await startOrchestrator({ env: settingsFor(github, "acme/api:1000") });
  const hook = github.addHook({ owner: "acme/api", url: `${box.url}/webhooks/github`, secret });
  github.fail({ on: "delivery", kind: "lose", times: 4 });
  const send = (age: number) => github.deliver({ hookId: hook.id, event: "star", payload: {}, ageSeconds: age });
  const stored = await send(ageSeconds);
  await box.database.pool.query(
    `insert into webhook_deliveries (id, source, delivery_id, headers, signature, rules_hash, outcome)
     values (gen_random_uuid(), 'github', $1, '{}', 'current', '', 'ignored')`,
    [stored.guid],
  );
  await send(5);
  await send(4 * 86_400);
  const wanted = await send(ageSeconds);
  await eventually(async () => (await listArrived(box)).includes(wanted.guid), { what: "the one", timeoutMs: 30_000 });
  expect(redeliveries(github)).toHaveLength(1);
});

test.concurrent("a GitHub that fails, stalls or is away is asked again later", async () => {
  await using github = await startGithubStandIn();
  await using box = await startOrchestrator({ env: settingsFor(github, "acme/gone:7,acme/api:1000") });
  const hook = github.addHook({ owner: "acme/api", url: `${box.url}/webhooks/github`, secret });
  github.fail({ on: "delivery", kind: "lose", times: 1 });
  await github.deliver({ hookId: hook.id, event: "push", payload: push, ageSeconds });
  github.fail({ on: "api", kind: "status", status: 503, times: 2 });
  github.fail({ on: "api", kind: "lose", times: 1 });
  await eventually(async () => (await listArrived(box)).length === 1, { what: "the delivery", timeoutMs: 30_000 });
  const { rows } = await box.database.pool.query("select hook from webhook_redeliveries");
  expect(rows.map(({ hook }) => hook)).toContain("acme/api:1000");
});

test.concurrent("one that GitHub refuses to send again does not keep the others of its hook from coming", async () => {
  await using github = await startGithubStandIn();
  await using box = await startOrchestrator({ env: settingsFor(github, "acme/api:1000") });
  const hook = github.addHook({ owner: "acme/api", url: `${box.url}/webhooks/github`, secret });
  github.fail({ on: "delivery", kind: "lose", times: 2 });
  github.fail({ on: "redelivery", kind: "status", status: 422, times: 1 });
  const send = (age: number) => github.deliver({ hookId: hook.id, event: "star", payload: {}, ageSeconds: age });
  const [refused, other] = [await send(2 * ageSeconds), await send(ageSeconds)];
  await eventually(async () => (await listArrived(box)).length === 1, { what: "the other", timeoutMs: 30_000 });
  expect(await listArrived(box)).toEqual([other.guid]);
  const asked = github.calls.length;
  await eventually(() => github.calls.length > asked + 2, { what: "more looks", timeoutMs: 30_000 });
  expect(redeliveries(github).filter((call) => call.includes(refused.id))).toHaveLength(1);
});

test.concurrent("all pages of a long list are read, and ids longer than a number is exact stay exact", async () => {
  await using github = await startGithubStandIn();
  await using box = await startOrchestrator({ env: settingsFor(github, "acme/api:1000") });
  const hook = github.addHook({ owner: "acme/api", url: `${box.url}/webhooks/github`, secret });
  github.fail({ on: "delivery", kind: "lose", times: 1 });
  const lost = await github.deliver({ hookId: hook.id, event: "star", payload: {}, ageSeconds: 3_600 });
  expect(Number.isSafeInteger(Number(lost.id))).toBe(false);
  for (let index = 0; index < 120; index++) {
    await github.deliver({ hookId: hook.id, event: "star", payload: { index }, ageSeconds });
  }
  await eventually(() => redeliveries(github).length === 1, { what: "the redelivery", timeoutMs: 30_000 });
  expect(redeliveries(github)[0]).toContain(`/deliveries/${lost.id}/attempts`);
  const readAudit = async () =>
    (
      await box.database.pool.query(
        "select hook, delivery_id, attempt_id from webhook_redeliveries where accepted_at >= asked_at",
      )
    ).rows;
  await eventually(async () => (await readAudit()).length === 1, { what: "the audit of it" });
  expect(await readAudit()).toEqual([{ hook: "acme/api:1000", delivery_id: lost.guid, attempt_id: String(lost.id) }]);
});

test.concurrent("without a token or a hook GitHub is not asked", async () => {
  await using github = await startGithubStandIn();
  const { GITHUB_TOKEN: _token, ...env } = settingsFor(github, "acme/api:1000");
  await using _box = await startOrchestrator({ env });
  await using watched = await startOrchestrator({ env: settingsFor(github, "acme/other:1") });
  await eventually(() => github.calls.length > 0, { what: "the one that is set" });
  expect(github.calls.every((call) => call.includes("acme/other"))).toBe(true);
  await watched.stop();
});
