import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunRequest } from "@signalbox/common/contracts/agent.ts";
import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { type ServiceProcess, startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";

/*
 * Secrets are planted on every path into the fleet that people or machines write texts to, and then looked for in every way out:
 * answers, streams, metrics, traces, what the processes print and keep on disk, and every row of every table.
 */

const tail = "7QmZx4Kp9LsT2vBn8RwYc3Df6Hj1Ga5Ue0Xi";
const canaries = {
  basicPass: "canary-basic-7QmZx4Kp",
  internalKey: "canary-internal-9LsT2vBn",
  previousKey: "canary-previous-8RwYc3Df",
  sealingKey: Buffer.from(tail.slice(0, 32)).toString("base64"),
  webhookSecret: "canary-webhook-6Hj1Ga5U",
  password: "canary-password-e0Xi",
  telegram: `123456789:AA${tail.slice(0, 33)}`,
  github: `ghp_${tail}`,
  githubApp: `ghs_12345_eyJhbGciOiJSUzI1NiJ9.${tail}.${tail}`,
  render: `rnd_${tail}`,
  posthog: `phx_${tail}`,
  bearer: `Bearer canary.${tail}`,
  url: "canary-userinfo-x7",
  fleetKey: "canary-fleet-key-k3",
  fleetShape: `acme_${tail}`,
  writeOnly: "canary-write-only-w5",
};
type Canary = keyof typeof canaries;

/** As a careless program would print them; the last two are secrets only because this fleet says so. */
const texts = [
  `curl https://api.telegram.org/bot${canaries.telegram}/getMe`,
  `push to https://x:${canaries.github}@github.com/a/b with ${canaries.githubApp}`,
  `RENDER_API_TOKEN=${canaries.render} posthog ${canaries.posthog}`,
  `Authorization: ${canaries.bearer}`,
  `postgres://app:${canaries.url}@db/x and password=${canaries.password}`,
  `the key ${canaries.fleetShape}`,
];
const careless = texts.join("; ");
const nested = {
  deep: [
    { apiKey: canaries.password, "X-Pin-Code": canaries.fleetKey, env: [{ key: "TOKEN", value: canaries.password }] },
  ],
  note: careless,
  [`under ${canaries.github}`]: 1,
};

const basic = `Basic ${Buffer.from(`operator:${canaries.basicPass}`).toString("base64")}`;
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

type Places = { database: TestDatabase; collector: string; spool: string };

async function startFleet({ database, collector, spool }: Places) {
  const shared = {
    DATABASE_URL: database.url,
    BASIC_AUTH_USER: "operator",
    BASIC_AUTH_PASS: canaries.basicPass,
    INTERNAL_KEY: canaries.internalKey,
    INTERNAL_KEY_PREVIOUS: canaries.previousKey,
    LOG_LEVEL: "trace",
    LOG_REDACT_KEYS: "pin code",
    LOG_REDACT_PATTERNS: "acme_*",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector,
    SPOOL_DIR: spool,
  };
  const logging = await startService({ main: "services/logging/main.ts", env: shared });
  const more = {
    LOGGING_URL: logging.url,
    SECRETS_KEY: canaries.sealingKey,
    GITHUB_WEBHOOK_SECRET: canaries.webhookSecret,
  };
  const orchestrator = await startService({ main: "services/orchestrator/main.ts", env: { ...shared, ...more } });
  return { logging, orchestrator };
}

/** Keeps whatever traces are sent to it. */
async function startCollector() {
  let text = "";
  const server = createServer(async (request, response) => {
    for await (const chunk of request) text += String(chunk);
    response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, text: () => text, close: () => server.close() };
}

async function readFolder(folder: string): Promise<string> {
  const names = await readdir(folder);
  return (await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")))).join("\n");
}

/** An agent that fails as its payload says, with careless words. */
async function startAgent() {
  const seen: RunRequest[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const run = JSON.parse(text) as RunRequest;
    seen.push(run);
    const { status } = run.payload as { status: number };
    const error = { error: { code: "careless", message: careless, details: [nested] } };
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(status === 200 ? { result: "done" } : status === 202 ? {} : error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Service = Pick<ServiceProcess, "url">;

type Asked = { body: unknown; headers?: Record<string, string> };

const send = (service: Service, line: string, body: unknown) => ask(service, line, { body });

/** @param line method and path */
async function ask({ url }: Service, line: string, { body, headers = {} }: Asked) {
  const [method, path] = line.split(" ");
  const response = await fetch(`${url}${path}`, {
    method: String(method),
    headers: { "content-type": "application/json", "x-internal-key": canaries.internalKey, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

async function get({ url }: Service, path: string): Promise<string> {
  return (await fetch(url + path, { headers: { authorization: basic } })).text();
}

const type = { type: "work", path: "/run" };
const payloadSchema = {
  type: "object",
  properties: { status: { type: "integer" }, secret: { type: "string", writeOnly: true } },
};

async function makeTasks(orchestrator: Service, agent: Service): Promise<string[]> {
  const beat = { name: "careless", instance: "careless-1", url: agent.url, types: [{ ...type, payloadSchema }] };
  await send(orchestrator, "POST /agents/heartbeat", beat);
  const made = [200, 422, 500, 202].map(async (status) => {
    const payload = { status, secret: canaries.writeOnly };
    const task = { type: "work", payload, traceId, maxAttempts: 1, timeoutMs: 5_000 };
    return (JSON.parse((await send(orchestrator, "POST /task", task)).text) as { id: string }).id;
  });
  const ids = await Promise.all(made);
  await eventually(async () => {
    const { items } = JSON.parse(await get(orchestrator, `/tasks?traceId=${traceId}`)) as {
      items: { status: string }[];
    };
    return items.filter(({ status }) => status === "completed" || status === "failed").length === 3;
  });
  return ids;
}

/** What an agent says of a run that goes on. */
async function reportCarelessly(orchestrator: Service, id: string): Promise<void> {
  await send(orchestrator, `POST /task/${id}/progress`, { attempt: 1, message: careless.slice(0, 1_900) });
  await send(orchestrator, `POST /task/${id}/events`, { attempt: 1, kind: "side_effect", data: nested });
  await send(orchestrator, `POST /task/${id}/events`, { attempt: 1, kind: "note", data: { careless } });
  const error = { code: "careless", message: careless, details: nested };
  expect((await send(orchestrator, `PATCH /task/${id}`, { attempt: 1, status: "failed", error })).status).toBe(200);
}

async function writeLogs(logging: Service): Promise<void> {
  const record = { level: "error", service: "careless", traceId, correlationId: "c" };
  const lines = [
    ...texts.map((message) => ({ ...record, message })),
    { ...record, message: "nested", data: nested, ...nested },
  ];
  expect(JSON.parse((await send(logging, "POST /log", lines)).text)).toMatchObject({ accepted: lines.length });
  const body = { stringValue: careless };
  const attributes = [
    { key: "password", value: { stringValue: canaries.password } },
    { key: "note", value: body },
  ];
  const logRecords = [{ body, attributes, traceId }];
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "otel" } }] };
  expect(
    (await send(logging, "POST /v1/logs", { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] })).status,
  ).toBe(200);
  const outcome = {
    source: "bot",
    cycle_id: "c",
    sig_hash: "s",
    event_kind: "ok",
    ok: false,
    extra: nested,
    ...nested,
  };
  expect((await send(logging, "POST /event", { ...outcome, staffer_id: `x ${canaries.github}` })).status).toBe(202);
}

/** Requests that are wrong, in ways that a careless service would repeat in its answer or its log. */
async function makeMistakes(services: readonly Service[]): Promise<string[]> {
  const auth = Buffer.from(`operator:${canaries.basicPass}`).toString("base64");
  const answers = services.flatMap((service) => [
    send(service, "POST /log", `{"password":"${canaries.password}", broken`),
    send(service, "POST /task", { type: canaries.github, payload: nested }),
    send(service, "POST /task", { type: "work", payload: { status: "x", secret: canaries.writeOnly } }),
    send(service, `POST /${canaries.github}?token=${canaries.password}`, {}),
    send(service, "POST /event", { ok: canaries.password }),
    ask(service, "POST /webhooks/github", {
      body: { secret: canaries.password },
      headers: { "x-hub-signature-256": `sha256=${tail}` },
    }),
    get(service, `/ws?auth=${auth}`).then((text) => ({ text })),
  ]);
  return (await Promise.all(answers)).map(({ text }) => text);
}

async function readStream({ url }: Service, path: string): Promise<string> {
  const end = new AbortController();
  const response = await fetch(url + path, { headers: { authorization: basic }, signal: end.signal });
  let text = "";
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true });
  })().catch(() => undefined);
  await eventually(() => text.includes("otel"), { what: "the last record on the stream", timeoutMs: 20_000 });
  end.abort();
  await reading;
  return text;
}

async function dump({ pool }: TestDatabase): Promise<string> {
  const { rows } = await pool.query<{ name: string }>(
    "select quote_ident(relname) as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
  );
  const tables = await Promise.all(
    rows.map(async ({ name }) => {
      const found = await pool.query<{ line: string }>(`select t::text as line from ${name} t`);
      return found.rows.map(({ line }) => line).join("\n");
    }),
  );
  return tables.join("\n");
}

function findIn(text: string): Canary[] {
  return (Object.keys(canaries) as Canary[]).filter((name) => text.includes(canaries[name]));
}

test("planted secrets are in no answer, stream, metric, trace, printed line, spooled line or row", async () => {
  await using database = await freshDatabase();
  const collector = await startCollector();
  const spool = await mkdtemp(join(tmpdir(), "signalbox-planted-"));
  const fleet: Record<"logging" | "orchestrator", ServiceProcess> = await startFleet({
    ...{ database, spool },
    collector: collector.url,
  });
  await using agent = await startAgent();
  const { logging, orchestrator } = fleet;
  try {
    const ids = await makeTasks(orchestrator, agent);
    await reportCarelessly(orchestrator, ids[3] ?? "");
    const mistakes = await makeMistakes([logging, orchestrator]);
    await writeLogs(logging);

    const places: Record<string, string> = { mistakes: mistakes.join("\n") };
    for (const [name, service] of Object.entries(fleet)) {
      for (const path of ["/metrics", "/config/validate", "/openapi.json", "/ready"]) {
        places[`${name} ${path}`] = await get(service, path);
      }
    }
    for (const path of ["/logs?limit=1000", "/logs/stats", "/logs?q=curl", "/events", "/events/signatures"]) {
      places[path] = await get(logging, path);
    }
    const ofTasks = ids.flatMap((id) => [`/task/${id}`, `/task/${id}/events`, `/task/${id}/tree`]);
    for (const path of [...ofTasks, "/tasks", "/tasks/stats", "/agents", "/task-types", `/trace/${traceId}`]) {
      places[path] = await get(orchestrator, path);
    }
    places.frames = await readStream(orchestrator, "/stream?since=MH4x");
    places["log stream"] = await readStream(logging, "/logs/stream?since=0");
    await logging.stop();
    // With nobody to send it to, what is said of these mistakes goes to the disk.
    places["mistakes without logging"] = (await makeMistakes([orchestrator])).join("\n");
    await orchestrator.stop();
    places["spool on disk"] = await readFolder(spool);
    places["traces for a collector"] = collector.text();
    for (const [name, service] of Object.entries(fleet)) places[`${name} printed`] = service.output();
    places.database = await dump(database);

    const found = Object.entries(places).map(([place, text]) => [place, findIn(text)] as const);
    expect(found.filter(([, names]) => names.length > 0)).toEqual([]);
    // It was all there: the agent got the secret, and what was hidden left its mark.
    expect(agent.seen.every(({ payload }) => (payload as { secret: string }).secret === canaries.writeOnly)).toBe(true);
    for (const place of ["/logs?limit=1000", "/events", `/trace/${traceId}`, `/task/${ids[1]}`, "frames", "database"]) {
      expect(places[place], place).toContain("[redacted]");
    }
    for (const place of ["spool on disk", "traces for a collector"])
      expect(places[place], place).toContain("orchestrator");
  } finally {
    await Promise.all([orchestrator.stop("SIGKILL"), logging.stop("SIGKILL")]);
    collector.close();
    await rm(spool, { recursive: true, force: true });
  }
});
