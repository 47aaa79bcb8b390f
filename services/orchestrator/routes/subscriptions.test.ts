import { eventKinds } from "@signalbox/common/contracts/event.ts";
import type { Subscription } from "@signalbox/common/contracts/subscription.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Items, type Orchestrator, startOrchestrator } from "../orchestrator.fixture.ts";
import { withSecretsKey } from "../receiver.fixture.ts";

const url = "https://hooks.example/signalbox";
let box: Orchestrator;
let path: string;

beforeAll(async () => {
  box = await startOrchestrator({ env: { ...withSecretsKey, SUBSCRIPTIONS_ALLOW_PRIVATE: "false" } });
  const made = await box.call("/subscriptions", { method: "POST", body: { url, kinds: ["created"], enabled: false } });
  path = `/subscriptions/${made.body.id}`;
});

afterAll(() => box[Symbol.asyncDispose]());

const many = Array.from({ length: 101 }, (_, index) => `t${index}`);

const bad: [string, object, string][] = [
  ["no kinds", { kinds: [] }, "/kinds"],
  ["an unknown kind", { kinds: ["created", "finished"] }, "/kinds/1"],
  ["a kind twice", { kinds: ["created", "created"] }, "/kinds"],
  ["kinds that are a text", { kinds: "created" }, "/kinds"],
  ["kinds that are null", { kinds: null }, "/kinds"],
  ["a URL that is a number", { url: 7 }, "/url"],
  ["an empty URL", { url: "" }, "/url"],
  ["a path for a URL", { url: "/hook" }, "/url"],
  ["another scheme", { url: "ftp://hooks.example/" }, "/url"],
  ["credentials in the URL", { url: "https://ann:word@hooks.example/" }, "/url"],
  ["a fragment in the URL", { url: `${url}#x` }, "/url"],
  ["a line break in the URL", { url: `${url}\n` }, "/url"],
  ["a URL that is too long", { url: `${url}/${"x".repeat(2_000)}` }, "/url"],
  ["a private address", { url: "http://192.168.0.1/" }, "/url"],
  ["this machine", { url: "http://localhost:4000/" }, "/url"],
  ["this machine as IPv6", { url: "http://[::1]:4000/" }, "/url"],
  ["this machine, mapped", { url: "http://[::ffff:127.0.0.1]/" }, "/url"],
  ["this machine as a number", { url: "http://2130706433/" }, "/url"],
  ["the metadata service", { url: "http://169.254.169.254/" }, "/url"],
  ["no type", { types: [] }, "/types"],
  ["a type that cannot be", { types: ["no type"] }, "/types/0"],
  ["too many types", { types: many }, "/types"],
  ["enabled as a text", { enabled: "yes" }, "/enabled"],
  ["a secret of the caller's", { secret: "whsec_AAAA" }, "/secret"],
  ["an unknown member", { kind: "created" }, "/kind"],
];

test.each(bad)("%s is refused, at creation and later", async (_what, members, at) => {
  for (const [where, method, body] of [
    ["/subscriptions", "POST", { url, kinds: ["created"], ...members }],
    [path, "PATCH", members],
  ] as const) {
    const reply = await box.call(where, { method, body });
    expect(reply).toMatchObject({ status: 400, body: { error: { code: "invalid_request" } } });
    expect(reply.body.error.details.map((detail: { path: string }) => detail.path)).toContain(at);
  }
  expect((await box.call<Items<Subscription>>("/subscriptions")).body.items).toHaveLength(1);
});

test("the answer to an unknown kind names all that there are; the one to a private address, what allows it", async () => {
  const post = (body: object) =>
    box.call("/subscriptions", { method: "POST", body: { url, kinds: ["created"], ...body } });
  const { message } = (await post({ kinds: ["finished"] })).body.error;
  for (const kind of eventKinds) expect(message).toContain(`"${kind}"`);
  expect((await post({ url: "http://10.0.0.1/" })).body.error.message).toContain("SUBSCRIPTIONS_ALLOW_PRIVATE");
});

test.each([
  ["POST", "/subscriptions", undefined, 400],
  ["POST", "/subscriptions", {}, 400],
  ["POST", "/subscriptions", { url }, 400],
  ["POST", "/subscriptions", { kinds: ["created"] }, 400],
  ["GET", "/subscriptions?limit=0", undefined, 400],
  ["GET", "/subscriptions?cursor=rubbish", undefined, 400],
  ["GET", "/subscriptions?url=x", undefined, 400],
  ["PATCH", "/subscriptions/7", {}, 400],
  ["DELETE", "/subscriptions/7", undefined, 400],
  ["PATCH", "/subscriptions/01890000-0000-7000-8000-000000000000", {}, 404],
  ["DELETE", "/subscriptions/01890000-0000-7000-8000-000000000000", undefined, 404],
])("%s %s with %j answers %i", async (method, at, body, status) => {
  expect((await box.call(at, { method, ...(body !== undefined && { body }) })).status).toBe(status);
});

test("a list is paged, newest first, and a patch that says nothing changes nothing", async () => {
  await using own = await startOrchestrator({ env: withSecretsKey });
  const made: string[] = [];
  for (let index = 0; index < 5; index++) {
    const body = { url: `${url}?token=${index}`, kinds: ["created"], types: ["work"], enabled: false };
    made.unshift((await own.call("/subscriptions", { method: "POST", body })).body.id);
  }
  const seen: string[] = [];
  let cursor = "";
  do {
    const page = await own.call<Items<Subscription>>(`/subscriptions?limit=2${cursor}`);
    seen.push(...page.body.items.map(({ id }) => id));
    cursor = page.body.nextCursor === null ? "" : `&cursor=${page.body.nextCursor}`;
  } while (cursor !== "");
  expect(seen).toEqual(made);
  const [last] = (await own.call<Items<Subscription>>("/subscriptions?limit=1")).body.items;
  expect(last).toMatchObject({
    url: `${url}?token=4`,
    kinds: ["created"],
    types: ["work"],
    enabled: false,
    pending: 0,
    failures: 0,
  });
  const { updatedAt: _before, ...same } = last as Subscription;
  const patched = await own.call(`/subscriptions/${last?.id}`, { method: "PATCH", body: {} });
  expect(patched).toMatchObject({ status: 200, body: same });
  const all = await own.call<Subscription>(`/subscriptions/${last?.id}`, { method: "PATCH", body: { types: null } });
  expect(all.body.types).toBeNull();
});

test("a hundred are enough", async () => {
  await using own = await startOrchestrator({ env: withSecretsKey });
  const post = () => own.call("/subscriptions", { method: "POST", body: { url, kinds: ["created"], enabled: false } });
  const replies = await Promise.all(Array.from({ length: 103 }, post));
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(100);
  const refused = replies.find(({ status }) => status !== 201);
  expect(refused).toMatchObject({ status: 409, body: { error: { code: "limit_reached" } } });
});

test("without SECRETS_KEY nothing is stored, and the answer says what to set", async () => {
  await using own = await startOrchestrator();
  const reply = await own.call("/subscriptions", { method: "POST", body: { url, kinds: ["created"] } });
  expect(reply).toMatchObject({
    status: 503,
    body: { error: { code: "unavailable", message: expect.stringContaining("SECRETS_KEY") } },
  });
  expect((await own.database.pool.query("select 1 from subscriptions")).rowCount).toBe(0);
});
