/** A fleet with two orchestrators, called in turn, so that nothing works only where it was begun; for tests only. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { Task, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { fleetPlace, readFleetFile, runStart } from "./fleet.fixture.ts";

export type Call = {
  body?: unknown;
  raw?: string;
  headers?: Record<string, string>;
  as?: "person" | "service" | "nobody";
};
export type Reply<T> = { status: number; body: T; headers: Headers };
export type Items<T> = { items: T[]; nextCursor: string | null };

export type Pair = Awaited<ReturnType<typeof startPair>>;

export async function startPair(env: Record<string, string> = {}) {
  const place = await fleetPlace();
  const fleet = runStart(place, { SIGNALBOX_ORCHESTRATORS: "2", ...env });
  await fleet.says(/Ready after/, 90_000);
  const { services } = await readFleetFile(place);
  const urls = ["orchestrator", "orchestrator-2"].map((name) => services[name]?.url ?? "");
  const own = parseEnv(await readFile(join(place.home, "env"), "utf8"));
  const basic = `Basic ${Buffer.from(`${own.BASIC_AUTH_USER}:${own.BASIC_AUTH_PASS}`).toString("base64")}`;
  let turn = 0;

  async function call<T = TaskWithEvents>(method: string, path: string, given: Call = {}): Promise<Reply<T>> {
    const { body, raw, headers = {}, as = "person" } = given;
    const who = { person: { authorization: basic }, service: { "x-internal-key": own.INTERNAL_KEY ?? "" }, nobody: {} };
    const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const type = text === undefined ? {} : { "content-type": "application/json" };
    const all = { ...who[as], ...type, ...headers } as Record<string, string>;
    const response = await fetch(`${urls[turn++ % urls.length]}${path}`, { method, headers: all, body: text });
    const answer = await response.text();
    return { status: response.status, headers: response.headers, body: answer === "" ? null : JSON.parse(answer) };
  }

  const read = async (id: string) => (await call("GET", `/task/${id}`)).body;
  return {
    urls,
    basic,
    call,
    read,
    async make(body: object): Promise<Task> {
      const reply = await call("POST", "/task", { body: { type: "echo", ...body } });
      if (reply.status !== 201) throw new Error(`POST /task answered ${reply.status}: ${JSON.stringify(reply.body)}`);
      return reply.body;
    },
    until: (id: string, status: Task["status"]) =>
      eventually(
        async () => {
          const task = await read(id);
          return task.status === status ? task : null;
        },
        { timeoutMs: 20_000, what: `${id} to be ${status}` },
      ) as Promise<TaskWithEvents>,
    async stop() {
      await fleet.stop();
      await place[Symbol.asyncDispose]();
    },
  };
}

export type Received = { headers: Record<string, string | string[] | undefined>; body: string };

/** A program of somebody else that is posted to, and keeps what it got. */
export async function startReceiver(answer: { status: number; body?: unknown }) {
  const got: Received[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      got.push({ headers: request.headers, body });
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
