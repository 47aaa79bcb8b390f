import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Frame } from "@signalbox/common/contracts/frame.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { claimPortRange } from "@signalbox/testing/free-port.ts";
import { type RunningProcess, startProcess } from "@signalbox/testing/service-process.ts";
import WebSocket from "ws";

export type FleetFile = {
  services: Record<string, { url: string; pid: number; state: string }>;
  dashboard: { url: string };
  databaseUrl: string;
};

/** A home and a range of ports that a fleet can be started in, again and again. */
export type FleetPlace = { home: string; portBase: number; [Symbol.asyncDispose](): Promise<void> };

export async function fleetPlace(): Promise<FleetPlace> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-fleet-"));
  await chmod(folder, 0o755);
  const { base: portBase, release } = await claimPortRange();
  return {
    home: join(folder, "home"),
    portBase,
    async [Symbol.asyncDispose]() {
      release();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Runs `start` as a person would, and leaves the developer's own .env out of it. */
export function runStart(place: FleetPlace, env: Record<string, string> = {}, args: string[] = []): RunningProcess {
  return startProcess({
    main: "packages/cli/start.ts",
    args,
    env: {
      SIGNALBOX_HOME: place.home,
      SIGNALBOX_PORT_BASE: String(place.portBase),
      SIGNALBOX_ENV_FILE: "/dev/null",
      ...env,
    },
  });
}

export async function readFleetFile({ home }: FleetPlace): Promise<FleetFile> {
  return JSON.parse(await readFile(join(home, "fleet.json"), "utf8")) as FleetFile;
}

export type Client = {
  authorization: string;
  /** Any call of the orchestrator. */
  call<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T; headers: Headers }>;
  createTask(payload: unknown, more?: Record<string, unknown>): Promise<Task>;
  getTask(id: string): Promise<Task & { events: TaskEvent[] }>;
  whenEnded(id: string, timeoutMs?: number): Promise<Task & { events: TaskEvent[] }>;
};

/** A script that knows what a person knows: `fleet.json` and `<home>/env`. */
export async function connectClient(place: FleetPlace): Promise<Client> {
  const env = parseEnv(await readFile(join(place.home, "env"), "utf8"));
  const login = `${env.BASIC_AUTH_USER}:${env.BASIC_AUTH_PASS}`;
  const authorization = `Basic ${Buffer.from(login).toString("base64")}`;
  const url = (await readFleetFile(place)).services.orchestrator?.url;
  const call = async <T>(method: string, path: string, body?: unknown) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as T, headers: response.headers };
  };
  const getTask = async (id: string) => (await call<Task & { events: TaskEvent[] }>("GET", `/task/${id}`)).body;
  return {
    authorization,
    call,
    getTask,
    createTask: async (payload, more = {}) =>
      (await call<Task>("POST", "/task", { type: "echo", payload, ...more })).body,
    whenEnded: (id, timeoutMs = 15_000) =>
      eventually(
        async () => {
          const task = await getTask(id);
          return ["completed", "failed", "canceled"].includes(task.status) && task;
        },
        { timeoutMs, what: `the end of task ${id}` },
      ),
  };
}

export type FrameReader = { frames: Frame[]; [Symbol.asyncDispose](): Promise<void> };

/** A live connection that keeps every frame it is sent. */
export async function readFrames(place: FleetPlace, client: Client, query = ""): Promise<FrameReader> {
  const url = (await readFleetFile(place)).services.orchestrator?.url.replace("http:", "ws:");
  const socket = new WebSocket(`${url}/ws${query}`, { headers: { authorization: client.authorization } });
  const frames: Frame[] = [];
  socket.on("message", (data) => frames.push(JSON.parse(String(data)) as Frame));
  await eventually(() => frames.some(({ type }) => type === "hello"), { what: "hello" });
  return {
    frames,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.terminate();
      await closed;
    },
  };
}
