import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { type ServiceProcess, startService } from "@signalbox/testing/service-process.ts";
import { afterAll, beforeAll, expect, test } from "vitest";

/**
 * Who may call which route of which service: the contract, written out. Every route that a service has is asked for with every kind
 * of credential and must answer as this table says; a route that is not in the table fails, so nobody adds one without a rule.
 *
 * - `public`    anybody
 * - `any`       Basic or the internal key
 * - `internal`  the internal key; Basic alone is 403
 * - `person`    Basic; the internal key only together with the name of the person for whom it speaks, else 403
 * - `signed`    whoever signs; credentials neither help nor hurt
 */
type Rule = "public" | "any" | "internal" | "person" | "signed";

const everywhere: Partial<Record<Rule, string[]>> = {
  public: ["GET /health", "GET /healthz", "GET /ready", "GET /openapi.json"],
  any: ["GET /config/validate", "GET /metrics"],
};
/** Where an agent of the kit is given its runs; a new one needs no line here as long as it has no other route. */
const ofRuns = /^POST \/run\//;

/** Both spellings of the contract: `/task/:id` and its alias. */
const onTask = (method: string, rest = "") => [`${method} /task/{id}${rest}`, `${method} /tasks/{id}${rest}`];

const table: Record<string, Partial<Record<Rule, string[]>>> = {
  orchestrator: {
    any: [
      ...["POST /task", "POST /tasks", "GET /tasks", "GET /tasks/stats", "GET /tasks/{id}/stream"],
      ...onTask("GET"),
      ...onTask("PATCH"),
      ...onTask("GET", "/events"),
      ...onTask("GET", "/tree"),
      ...onTask("POST", "/cancel"),
      ...onTask("POST", "/retry"),
      ...["GET /agents", "GET /task-types", "GET /trace/{traceId}", "GET /ws", "GET /stream"],
      ...["GET /schedules", "POST /schedules", "POST /schedules/{id}/run"],
      ...["GET /schedules/{id}", "PATCH /schedules/{id}", "DELETE /schedules/{id}"],
      ...["POST /v1/events", "GET /v1/runs/{run_id}"],
      ...["GET /webhooks/deliveries", "GET /webhooks/deliveries/{id}", "POST /webhooks/deliveries/{id}/replay"],
      ...["GET /subscriptions", "POST /subscriptions", "PATCH /subscriptions/{id}", "DELETE /subscriptions/{id}"],
    ],
    person: [...onTask("POST", "/approve"), ...onTask("POST", "/reject"), ...onTask("POST", "/input")],
    internal: [
      ...[...onTask("POST", "/progress"), ...onTask("POST", "/events"), ...onTask("POST", "/notes")],
      "POST /agents/heartbeat",
    ],
    signed: ["POST /webhooks/github", "POST /webhooks/{source}"],
  },
  logging: {
    any: [
      ...["POST /log", "GET /logs", "GET /logs/{id}", "GET /logs/stream", "GET /logs/stats", "POST /v1/logs"],
      ...["POST /event", "GET /events", "GET /events/signatures"],
    ],
  },
  "echo-agent": { internal: ["POST /echo"] },
  "page-agent": {},
  "log-report": {},
  renderctl: {
    any: [
      ...["GET /render/services", "POST /render/services", "GET /render/services/{id}/deploys"],
      ...["GET /render/services/{id}/env", "PATCH /render/services/{id}/env"],
      ...["POST /render/deploy/{id}", "POST /render/rollback/{id}"],
      "POST /render/services/{id}/deploys/{deployId}/cancel",
      ...["POST /render/blueprint/apply", "GET /render/applies/{id}", "GET /render/drift", "GET /render/repairs"],
      ...["POST /render/drift/revert", "POST /render/drift/adopt"],
    ],
  },
  telegram: {
    any: [
      "POST /telegram/pairings",
      "GET /telegram/members",
      "DELETE /telegram/members/{userId}",
      "GET /telegram/state",
    ],
    internal: ["POST /notify"],
    signed: ["POST /telegram/webhook"],
  },
  "posthog-watcher": {
    any: [
      ...["GET /findings", "GET /findings/{id}"],
      ...["ack", "snooze", "resolve", "decline"].map((act) => `POST /findings/{id}/${act}`),
      ...["GET /monitors", "GET /monitors/{name}", "PUT /monitors/{name}", "POST /monitors/{name}/dry-run"],
      ...["GET /wakeups", "PUT /wakeups"],
      ...["POST /watch/run", "GET /watch/runs/{id}", "GET /watch/status", "POST /watch/stop", "POST /watch/resume"],
    ],
    signed: ["POST /webhooks/posthog"],
  },
};

const user = "operator";
const pass = "a-test-password";
const key = "the-internal-key";
const previousKey = "the-key-before";
const basicOf = (name: string, word: string) => `Basic ${Buffer.from(`${name}:${word}`).toString("base64")}`;

const credentials = {
  none: {},
  "a wrong password": { authorization: basicOf(user, "wrong-password") },
  "a wrong user": { authorization: basicOf("somebody", pass) },
  "a bearer token": { authorization: `Bearer ${key}` },
  "a wrong key": { "x-internal-key": "not-the-key" },
  "an empty key": { "x-internal-key": "" },
  "the key as password": { authorization: basicOf(user, key) },
  Basic: { authorization: basicOf(user, pass) },
  "Basic beside a wrong key": { authorization: basicOf(user, pass), "x-internal-key": "not-the-key" },
  "the key": { "x-internal-key": key },
  "the previous key": { "x-internal-key": previousKey },
  "the key beside a wrong password": { "x-internal-key": key, authorization: basicOf(user, "wrong-password") },
} as const;
type Credential = keyof typeof credentials;

const people: Credential[] = ["Basic", "Basic beside a wrong key"];
const services: Credential[] = ["the key", "the previous key", "the key beside a wrong password"];

/** What the rule makes of a credential; "in" is any answer but 401 and 403. */
function expectedOf(rule: Rule, credential: Credential): "in" | 401 | 403 {
  if (rule === "public") return "in";
  if (rule === "signed") return 401;
  if (people.includes(credential)) return rule === "internal" ? 403 : "in";
  if (services.includes(credential)) return rule === "person" ? 403 : "in";
  return 401;
}

type Answer = { status: number; headers: Headers };

async function ask(service: ServiceProcess, line: string, headers: Record<string, string>): Promise<Answer> {
  const [method = "", path = ""] = line.split(" ");
  const filled = path.replace(/\{traceId\}/, "0af7651916cd43dd8448eb211c80319c").replace(/\{source\}/, "elsewhere");
  const url = service.url + filled.replace(/\{\w+\}/, "01890000-0000-7000-8000-000000000000");
  const hasBody = method !== "GET" && method !== "DELETE";
  const abort = new AbortController();
  const response = await fetch(url, {
    method,
    signal: abort.signal,
    headers: { ...headers, ...(hasBody && { "content-type": "application/json" }) },
    // As good as empty: whoever is let in is told what is missing, and nothing happens.
    ...(hasBody && { body: path.endsWith("/input") ? '{"input":1}' : "{}" }),
  });
  abort.abort();
  return response;
}

async function listRoutes(service: ServiceProcess): Promise<string[]> {
  const response = await fetch(`${service.url}/openapi.json`);
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, unknown>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

function rulesOf(name: string): Map<string, Rule> {
  const rules = new Map<string, Rule>();
  for (const part of [everywhere, table[name] ?? {}])
    for (const [rule, lines] of Object.entries(part) as [Rule, string[]][])
      for (const line of lines) rules.set(line, rule);
  return rules;
}

async function start(name: string) {
  const database = await freshDatabase();
  const service = await startService({
    main: `services/${name}/main.ts`,
    env: {
      DATABASE_URL: database.url,
      BASIC_AUTH_USER: user,
      BASIC_AUTH_PASS: pass,
      INTERNAL_KEY: key,
      INTERNAL_KEY_PREVIOUS: previousKey,
      GITHUB_WEBHOOK_SECRET: "a-webhook-secret",
      WEBHOOK_SECRETS: "elsewhere=bearer:another-webhook-secret",
      TELEGRAM_BOT_TOKEN: "7000001:a-token-of-nobody",
      TELEGRAM_API_ROOT: "http://127.0.0.1:9",
      TELEGRAM_INGEST_MODE: "webhook",
      TELEGRAM_WEBHOOK_SECRET: "a-webhook-secret",
      ORCHESTRATOR_URL: "http://127.0.0.1:9",
      LOGGING_URL: "http://127.0.0.1:9",
      POSTHOG_HOST: "http://127.0.0.1:9",
      POSTHOG_PROJECT_ID: "1",
      POSTHOG_API_KEY: "a-key-of-posthog",
      RENDER_API_TOKEN: "a-token-of-render",
      RENDER_API_BASE_URL: "http://127.0.0.1:9",
      PAGE_ORIGINS: "http://127.0.0.1:9",
      LOG_REPORT_MAX_RECORDS: "1",
      LOG_LEVEL: "fatal",
    },
  });
  return {
    service,
    async [Symbol.asyncDispose]() {
      await service.stop();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** What is wrong with the answer to one credential on one route. */
function judge(rule: Rule, credential: Credential, { status, headers }: Answer): string[] {
  const got = status === 401 || status === 403 ? status : "in";
  const expected = expectedOf(rule, credential);
  const isTold = rule === "signed" || headers.get("www-authenticate")?.startsWith("Basic ");
  return [
    ...(got === expected ? [] : [`${status}, not ${expected}`]),
    ...(status === 401 && !isTold ? ["401 without WWW-Authenticate"] : []),
    ...(status >= 500 && status !== 503 ? [`${status}`] : []),
  ];
}

const running = new Map<string, Awaited<ReturnType<typeof start>>>();

/** Every service there is, those that nobody has written into the table too. */
const names = readdirSync(join(repositoryRoot, "services")).filter((name) =>
  existsSync(join(repositoryRoot, "services", name, "main.ts")),
);

beforeAll(async () => {
  for (const name of names) running.set(name, await start(name));
}, 120_000);

afterAll(async () => {
  await Promise.all([...running.values()].map((one) => one[Symbol.asyncDispose]()));
});

function serviceOf(name: string): ServiceProcess {
  const found = running.get(name);
  if (!found) throw new Error(`${name} does not run`);
  return found.service;
}

test.each(names)(
  "%s lets in whom the contract lets in, on every route that it has",
  async (name) => {
    const service = serviceOf(name);
    const rules = rulesOf(name);
    const routes = await listRoutes(service);
    for (const line of routes.filter((one) => ofRuns.test(one))) rules.set(line, "internal");
    expect(routes.filter((line) => !rules.has(line))).toEqual([]);
    expect(routes).toEqual(expect.arrayContaining(everywhere.public ?? []));

    const wrong: string[] = [];
    for (const line of routes) {
      const asked = Object.entries(credentials).map(async ([credential, headers]) => {
        const problems = judge(
          rules.get(line) ?? "public",
          credential as Credential,
          await ask(service, line, headers),
        );
        wrong.push(...problems.map((problem) => `${line} with ${credential}: ${problem}`));
      });
      await Promise.all(asked);
    }
    expect(wrong).toEqual([]);
  },
  60_000,
);

test("a password in the URL opens the streams of the orchestrator, and nothing else of it", async () => {
  const service = serviceOf("orchestrator");
  const auth = encodeURIComponent(Buffer.from(`${user}:${pass}`).toString("base64"));
  const rules = rulesOf("orchestrator");
  const lines = (await listRoutes(service)).filter((line) => line.startsWith("GET ") && rules.get(line) !== "public");
  const opened: string[] = [];
  for (const line of lines) {
    const { status } = await ask(service, `${line}?auth=${auth}`, {});
    if (status !== 401) opened.push(line);
  }
  const streams = ["GET /stream", "GET /tasks/{id}/stream", "GET /ws"];
  expect(opened.sort()).toEqual(streams.filter((line) => lines.includes(line)));
});

test("HEAD and unknown methods get past no rule", async () => {
  const service = serviceOf("logging");
  for (const path of ["/logs", "/metrics", "/config/validate"])
    expect((await fetch(service.url + path, { method: "HEAD" })).status).toBe(401);
  for (const method of ["PUT", "DELETE", "PROPFIND"])
    expect((await fetch(`${service.url}/logs`, { method })).status).toBe(405);
});
