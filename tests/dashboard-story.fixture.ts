import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";

/*
 * A day of a fleet, told to a rehearsal: signals of every kind come in, some work fails, a deploy waits for a person, Render drifts
 * from its blueprint, and a metric falls. What the dashboard is tried on and photographed with.
 */

export type Rehearsal = {
  services: Record<string, { url: string; pid: number }>;
  dashboard: { url: string };
  emulators: Record<string, { url: string }>;
  login: { user: string; pass: string };
  token: string;
};

export async function readRehearsal(home: string): Promise<Rehearsal> {
  const file = JSON.parse(await readFile(join(home, "fleet.json"), "utf8")) as Omit<Rehearsal, "login" | "token">;
  const env = parseEnv(await readFile(join(home, "env"), "utf8"));
  const login = { user: env.BASIC_AUTH_USER ?? "", pass: env.BASIC_AUTH_PASS ?? "" };
  return { ...file, login, token: Buffer.from(`${login.user}:${login.pass}`).toString("base64") };
}

type CallOptions = { method?: string; body?: unknown; headers?: Record<string, string> };

/** A call of a service, as a script makes it; anything but a success is an error that says so. */
export async function callService<T>(
  fleet: Rehearsal,
  service: string,
  path: string,
  { body, method = body === undefined ? "GET" : "POST", headers = {} }: CallOptions = {},
): Promise<T> {
  const response = await fetch(`${fleet.services[service]?.url}${path}`, {
    method,
    headers: { authorization: `Basic ${fleet.token}`, "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${service}${path} answered ${response.status}: ${text}`);
  return (text === "" ? null : JSON.parse(text)) as T;
}

/** Steers a stand-in, as the vendor's side of the story. */
async function steer<T>(fleet: Rehearsal, vendor: string, path: string, body: unknown): Promise<T> {
  const method = path === "/settings" ? "PATCH" : "POST";
  const url = `${fleet.emulators[vendor]?.url}/__control${path}`;
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${vendor} ${path} answered ${response.status}: ${await response.text()}`);
  const text = await response.text();
  return (text === "" ? null : JSON.parse(text)) as T;
}

export function createTask(fleet: Rehearsal, task: Record<string, unknown>): Promise<Task> {
  return callService<Task>(fleet, "orchestrator", "/task", { body: task });
}

async function whenEnded(fleet: Rehearsal, id: string): Promise<void> {
  await eventually(
    async () => {
      const { status } = await callService<Task>(fleet, "orchestrator", `/task/${id}`);
      return ["completed", "failed", "canceled"].includes(status);
    },
    { timeoutMs: 30_000, what: `the end of task ${id}` },
  );
}

const serviceNames = ["shop-web", "shop-api", "shop-worker"] as const;

/** Three services on Render, made through renderctl, the last with a failed deploy. */
export async function tellRender(fleet: Rehearsal): Promise<void> {
  const repo = "https://github.com/acme/shop";
  for (const name of serviceNames) {
    const type = name === "shop-worker" ? "background_worker" : "web_service";
    const env = { LOG_LEVEL: "info", FEATURE_CHECKOUT: "on" };
    const body = { name, type, repo, runtime: "node", buildCommand: "npm ci", startCommand: "node .", env };
    await callService(fleet, "renderctl", "/render/services", { body });
  }
}

async function tellGithub(fleet: Rehearsal): Promise<void> {
  const hooks = await fetch(`${fleet.emulators.github?.url}/__control/hooks`).then(
    (answer) => answer.json() as Promise<{ id: number }[]>,
  );
  const repository = { full_name: "acme/shop" };
  const sender = { login: "ada", type: "User" };
  const send = (event: string, payload: object) =>
    steer(fleet, "github", "/deliveries", { hookId: hooks[0]?.id, event, payload: { repository, sender, ...payload } });
  await send("push", {
    ref: "refs/heads/main",
    before: "5d1f0c2b7a",
    after: "8f2c1d04be",
    head_commit: { message: "Checkout asks for the address first" },
  });
  await send("issues", { action: "opened", issue: { number: 214, title: "Checkout button does nothing on iOS 17" } });
  await send("watch", { action: "started" });
}

const HOUR_MS = 3_600_000;

/** Seven weeks of a steady metric, and a fall in the last hours: a finding with a chart. */
export async function tellPosthog(fleet: Rehearsal): Promise<void> {
  const now = Date.now();
  const hour = Math.floor(now / HOUR_MS) * HOUR_MS;
  const series = { event: "signed_up", stepSeconds: 300, wave: 0.4 };
  const fallAt = hour - 2 * HOUR_MS;
  await steer(fleet, "posthog", "/series", { ...series, from: hour - 49 * 24 * HOUR_MS, to: fallAt, value: 40 });
  await steer(fleet, "posthog", "/series", { ...series, from: fallAt, to: now, value: 11 });
  const definition = {
    title: "Sign-ups",
    event: "signed_up",
    direction: "down",
    // Only what is critical stands on the overview, and by default the hour of day decides with the size of the fall.
    severity: "critical",
    settle: "1m",
    owner: "@growth",
    runbook: "https://example.com/runbooks/signup",
  };
  await callService(fleet, "posthog-watcher", "/monitors/signups", { method: "PUT", body: definition });
  await callService(fleet, "posthog-watcher", "/watch/run", {
    body: { monitor: "signups" },
    headers: { prefer: "wait=30" },
  });
}

async function tellSchedules(fleet: Rehearsal): Promise<void> {
  const make = (body: object) => callService(fleet, "orchestrator", "/schedules", { body });
  const echo = (text: string) => ({ type: "echo", payload: { text } });
  await make({
    name: "Nightly clean-up",
    cron: "30 2 * * *",
    timezone: "Europe/Berlin",
    task: echo("clean up"),
    missed: "once",
  });
  await make({ name: "Weekly report", cron: "0 8 * * 1", timezone: "Europe/Berlin", task: echo("report") });
  await make({ name: "Warm the caches", everySeconds: 1_800, task: echo("warm"), missed: "skip" });
}

const kinds = ["checkout", "search", "mail", "invoice"] as const;

/** Work that went well, was tried again, failed, goes on and waits. */
async function tellWork(fleet: Rehearsal): Promise<void> {
  const echo = (payload: object, more: object = {}) => createTask(fleet, { type: "echo", payload, ...more });
  const ended: Task[] = [];
  for (let index = 0; index < 24; index++) {
    const kind = kinds[index % kinds.length] ?? "mail";
    ended.push(
      await echo(
        { text: `${kind} ${4_100 + index}`, delayMs: 20 + ((index * 37) % 400) },
        { correlationId: `order-${4_100 + index}` },
      ),
    );
  }
  ended.push(await echo({ text: "index the catalogue", failTimes: 1, progressSteps: 4, delayMs: 900 }));
  ended.push(await echo({ text: "charge order 4117", failPermanently: "The card was declined by its bank" }));
  ended.push(await echo({ text: "send invoice 88", failTimes: 9 }, { maxAttempts: 2 }));
  for (const { id } of ended) await whenEnded(fleet, id);
  const parent = await echo({ text: "import suppliers" });
  for (const name of ["North", "South"]) {
    await createTask(fleet, {
      type: "echo",
      payload: { text: `import ${name}` },
      parentId: parent.id,
      traceId: parent.traceId,
    });
  }
  await echo({ text: "rebuild the search index", delayMs: 600_000, progressSteps: 600 }, { timeoutMs: 900_000 });
  await echo({ text: "send the newsletter" }, { runAt: new Date(Date.now() + 40 * 60_000).toISOString() });
}

/** What a person has to decide. */
async function tellApprovals(fleet: Rehearsal): Promise<void> {
  const { items } = await callService<{ items: { id: string; name: string }[] }>(
    fleet,
    "renderctl",
    "/render/services",
  );
  const api = items.find(({ name }) => name === "shop-api");
  await createTask(fleet, {
    type: "render.rollback",
    source: "posthog-watcher",
    payload: { serviceId: api?.id },
    approval: {
      required: true,
      reason: "Sign-ups fell by 72 % after the deploy of 8f2c1d0; roll shop-api back",
      expiresInSeconds: 2_400,
    },
  });
  await createTask(fleet, {
    type: "render.env",
    source: "telegram",
    payload: { serviceId: api?.id, env: { STRIPE_WEBHOOK_SECRET: "whsec_rotated" }, deploy: true },
    approval: { required: true, reason: "Rotate STRIPE_WEBHOOK_SECRET of shop-api" },
  });
}

async function tellOthers(fleet: Rehearsal): Promise<void> {
  await steer(fleet, "telegram", "/messages", {
    chatId: 1_000_001,
    userId: 1_000_001,
    text: "How is the shop doing?",
  });
  const outcome = { source: "observer", event_kind: "fix", cycle_id: "cycle-1" };
  for (let index = 0; index < 12; index++) {
    const body = {
      ...outcome,
      sig_hash: index % 3 === 0 ? "lint:unused-import" : "test:flaky-login",
      ok: index % 4 !== 1,
      turns: 3 + index,
      cycle_id: `cycle-${index}`,
    };
    await callService(fleet, "logging", "/event", { body });
  }
  const subscription = { url: "https://hooks.example.com/signalbox", kinds: ["completed", "failed"], enabled: false };
  await callService(fleet, "orchestrator", "/subscriptions", { body: subscription });
}

/** Everything, so that every screen has something to show. */
export async function tellStory(fleet: Rehearsal): Promise<void> {
  await tellRender(fleet);
  await Promise.all([tellGithub(fleet), tellSchedules(fleet), tellOthers(fleet)]);
  await Promise.all([tellPosthog(fleet), tellWork(fleet)]);
  await tellApprovals(fleet);
}
