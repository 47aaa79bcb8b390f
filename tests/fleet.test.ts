import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { findProcessIdentity } from "@signalbox/cli/process-identity.ts";
import type { Frame } from "@signalbox/common/contracts/frame.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import type { RunningProcess } from "@signalbox/testing/service-process.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Client,
  connectClient,
  type FleetPlace,
  fleetPlace,
  readFleetFile,
  readFrames,
  runStart,
} from "./fleet.fixture.ts";

/*
 * The whole product as a person meets it: `start`, then only what can be seen from outside. The facts share one fleet and
 * stand in the order of its life; the last ones stop it and start it again.
 */

const ready = /Ready after ([\d.]+) s/;
let place: FleetPlace;
let fleet: RunningProcess;
let client: Client;

beforeAll(async () => {
  place = await fleetPlace();
  fleet = runStart(place);
  await fleet.says(ready, 60_000);
  client = await connectClient(place);
});

afterAll(async () => {
  await fleet.stop("SIGINT");
  await place[Symbol.asyncDispose]();
});

const taskFrames = (frames: Frame[], id: string) =>
  frames.flatMap((frame) => (frame.type === "task" && frame.event.taskId === id ? [frame] : []));

test("start is healthy within seconds and says where everything is and how to log in", async () => {
  const [, seconds] = ready.exec(fleet.output()) ?? [];
  expect(Number(seconds)).toBeLessThan(30);
  for (const line of [
    `orchestrator    http://127.0.0.1:${place.portBase} `,
    `logging         http://127.0.0.1:${place.portBase + 1} `,
    `echo-agent      http://127.0.0.1:${place.portBase + 2} `,
    `dashboard       http://127.0.0.1:${place.portBase + 80} `,
  ]) {
    expect(fleet.output()).toContain(line);
  }
  const env = await readFile(join(place.home, "env"), "utf8");
  const [, password] = /^BASIC_AUTH_PASS=(.+)$/m.exec(env) ?? [];
  expect(fleet.output()).toContain(`Log in as operator with the password ${password} (kept in ${place.home}/env).`);
});

test("a service of a vendor is off without its token, with the reason", async () => {
  const { services } = await readFleetFile(place);
  expect(services.renderctl).toEqual({ state: "off", reason: "RENDER_API_TOKEN is not set" });
  expect(fleet.output()).toMatch(/renderctl +.*off.*RENDER_API_TOKEN is not set/);
});

test("fleet.json names running processes and a database that can be used", async () => {
  const file = await readFleetFile(place);
  const services = Object.entries(file.services);
  const running = services.filter(([, { state }]) => state === "running");
  expect(running.map(([name]) => name)).toEqual(["orchestrator", "logging", "echo-agent"]);
  for (const [, { url, pid }] of running) {
    expect(await findProcessIdentity(pid)).not.toBeNull();
    expect((await fetch(`${url}/health`)).status).toBe(200);
  }
  expect(file.databaseUrl).toMatch(/^postgres:\/\/signalbox:[\w-]+@127\.0\.0\.1:\d+\/signalbox$/);
  expect((await stat(join(place.home, "fleet.json"))).mode & 0o777).toBe(0o600);
});

test("an echo task goes all the way, and its frames and its log lines arrive live", async () => {
  await using live = await readFrames(place, client);
  const created = await client.call<Task>("POST", "/task", { type: "echo", payload: { hello: "world" } });
  expect([created.status, created.headers.get("etag")]).toEqual([201, '"1"']);
  const { id, traceId } = created.body;
  const ended = await client.whenEnded(id);

  expect(ended).toMatchObject({ status: "completed", result: { echo: { hello: "world" }, service: "echo-agent" } });
  expect(ended.events.map(({ kind }) => kind)).toEqual(["created", "started", "completed"]);
  expect(ended.events.map(({ version }) => version)).toEqual([1, 2, 3]);
  await eventually(() => taskFrames(live.frames, id).length === 3);
  expect(taskFrames(live.frames, id).map(({ event, task }) => [event.kind, task.version])).toEqual([
    ["created", 1],
    ["started", 2],
    ["completed", 3],
  ]);
  await eventually(() => live.frames.some((frame) => frame.type === "log" && frame.log.traceId === traceId), {
    what: "a log frame of the task's trace",
  });
});

test("a reader that comes back with its cursor gets exactly what it missed", async () => {
  const first = await readFrames(place, client, "?types=task");
  const before = await client.createTask({ n: 1 });
  const seen = await eventually(() => taskFrames(first.frames, before.id)[2]);
  await first[Symbol.asyncDispose]();

  const missed = await client.createTask({ n: 2 });
  await client.whenEnded(missed.id);
  await using again = await readFrames(place, client, `?types=task&since=${encodeURIComponent(seen.cursor)}`);
  await eventually(() => taskFrames(again.frames, missed.id).length === 3);
  expect(taskFrames(again.frames, before.id)).toEqual([]);
});

test("the dashboard is served with its policy and knows the services", async () => {
  const { dashboard, services } = await readFleetFile(place);
  const page = await fetch(`${dashboard.url}/tasks`);
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self'");
  expect(await page.text()).toContain("<!doctype html>");
  const config = await fetch(`${dashboard.url}/config.json`);
  expect(config.headers.get("cache-control")).toBe("no-store");
  expect(await config.json()).toEqual({
    fleet: "local",
    services: Object.fromEntries(Object.entries(services).map(([name, { url }]) => [name, url])),
  });
});

test.each(["localhost", "127.0.0.1"])("the dashboard opened under %s may call the services", async (host) => {
  const origin = `http://${host}:${place.portBase + 80}`;
  const services = Object.values((await readFleetFile(place)).services).filter(({ state }) => state === "running");
  expect(services.length).toBeGreaterThanOrEqual(3);
  for (const { url } of services) {
    const response = await fetch(`${url}/health`, { headers: { origin } });
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
  }
});

test("a second fleet in the same home is refused with one sentence", async () => {
  await using elsewhere = await fleetPlace();
  const second = runStart({ ...place, portBase: elsewhere.portBase });
  expect((await second.exited).code).toBe(1);
  expect(second.output()).toBe(
    `Signalbox cannot start: the data folder ${place.home} is in use by another fleet (process ${fleet.pid}); ` +
      "stop that one first, or set SIGNALBOX_HOME and SIGNALBOX_PORT_BASE to start a second fleet\n",
  );
});

test("a second fleet on the same ports is refused with one sentence", async () => {
  await using other = await fleetPlace();
  const second = runStart({ ...other, portBase: place.portBase });
  expect((await second.exited).code).toBe(1);
  expect(second.output()).toContain(
    `Signalbox cannot start: port ${place.portBase}, which orchestrator needs, is in use`,
  );
});

test.each(["echo-agent", "logging", "orchestrator"])(
  "a killed %s is back within 15 s, and tasks go on",
  async (name) => {
    const before = (await readFleetFile(place)).services[name]?.pid ?? 0;
    process.kill(before, "SIGKILL");
    const after = await eventually(
      async () => {
        const pid = (await readFleetFile(place)).services[name]?.pid;
        return pid !== before && pid;
      },
      { timeoutMs: 15_000, what: `a new ${name}` },
    );
    expect(await findProcessIdentity(after)).not.toBeNull();
    const task = await client.createTask({ after: name });
    expect((await client.whenEnded(task.id, 60_000)).status).toBe("completed");
  },
);

test("Ctrl-C stops everything with exit code 0, and the next start shows the old tasks", {
  timeout: 120_000,
}, async () => {
  const task = await client.createTask({ kept: true });
  await client.whenEnded(task.id);
  const { services } = await readFleetFile(place);
  const postmaster = Number((await readFile(join(place.home, "postgres", "postmaster.pid"), "utf8")).split("\n")[0]);
  const pids = [...Object.values(services).map(({ pid }) => pid), postmaster];

  expect(await fleet.stop("SIGINT")).toEqual({ code: 0, signal: null });
  expect(await Promise.all(pids.map(findProcessIdentity))).toEqual(pids.map(() => null));
  await expect(readFleetFile(place)).rejects.toThrow("ENOENT");

  fleet = runStart(place);
  await fleet.says(ready, 60_000);
  expect(await client.getTask(task.id)).toMatchObject({
    id: task.id,
    status: "completed",
    result: { echo: { kept: true } },
  });
  const { body } = await client.call<{ items: Task[] }>("GET", "/tasks?type=echo&limit=200");
  expect(body.items.map(({ id }) => id)).toContain(task.id);
});

test("a killed supervisor leaves nothing running, and the next start takes over its data", {
  timeout: 120_000,
}, async () => {
  const { services } = await readFleetFile(place);
  const postmaster = Number((await readFile(join(place.home, "postgres", "postmaster.pid"), "utf8")).split("\n")[0]);
  await fleet.stop("SIGKILL");
  const pids = [...Object.values(services).map(({ pid }) => pid), postmaster];
  await eventually(
    async () => (await Promise.all(pids.map(findProcessIdentity))).every((identity) => identity === null),
    {
      timeoutMs: 40_000,
      what: "the end of the killed fleet's processes",
    },
  );
  fleet = runStart(place);
  await fleet.says(ready, 60_000);
  const task = await client.createTask({ after: "SIGKILL" });
  expect((await client.whenEnded(task.id)).status).toBe("completed");
});

test("a second Ctrl-C stops at once what a task keeps running, and says no more than that", {
  timeout: 120_000,
}, async () => {
  const slow = await client.createTask({ delayMs: 60_000 });
  await eventually(async () => (await client.getTask(slow.id)).status === "running");
  process.kill(fleet.pid, "SIGINT");
  await fleet.says(/Stopping \(SIGINT\)/);
  // Within a moment of the first it would be the same press, which a launcher has passed on.
  await eventually(() => {
    process.kill(fleet.pid, "SIGINT");
    return fleet.output().includes("Stopping at once");
  });
  expect(await fleet.exited).toEqual({ code: 1, signal: null });
  expect(fleet.output()).not.toContain("did not end in time");
});
