import { freshDatabase } from "@signalbox/testing/database.ts";
import { Pool } from "undici";
import { runAtOnce } from "../run-at-once.ts";
import { type Arena, asPerson, asService, json, openService, query } from "./arena.ts";

/** The real orchestrator as a process of its own on a database of its own, and a client that uses it as any other would. */
export type Orchestrator = AsyncDisposable & {
  url: string;
  pid: number;
  databaseUrl: string;
  client: Pool;
  /** Posts so many tasks, some at once; seconds. */
  post(count: number, atOnce: number): Promise<number>;
  /** Says that an agent offers this type at this address; none of an earlier word is offered any longer. */
  offer(type: string, agentUrl: string, maxConcurrency: number): Promise<void>;
  isIdle(): Promise<boolean>;
};

const connections = 64;

export async function openOrchestrator({ cluster }: Arena): Promise<Orchestrator> {
  await using made = new AsyncDisposableStack();
  const database = made.use(await freshDatabase(cluster.url));
  const service = made.use(await openService("services/orchestrator/main.ts", { DATABASE_URL: database.url }));
  const client = new Pool(service.url, { connections, pipelining: 1 });
  made.defer(() => client.close());
  const offer = (type: string, url: string, maxConcurrency: number) => beat(client, { type, maxConcurrency }, url);
  // So that the type is known; nobody offers it for now.
  await offer("echo", "http://127.0.0.1:9", 1);
  await offer("other", "http://127.0.0.1:9", 1);
  const kept = made.move();
  return {
    url: service.url,
    pid: service.pid,
    databaseUrl: database.url,
    client,
    async post(count, atOnce) {
      const startedAt = performance.now();
      await runAtOnce(count, atOnce, (number) => postTask(client, number));
      return (performance.now() - startedAt) / 1_000;
    },
    offer,
    async isIdle() {
      const open = "select from tasks where status in ('queued', 'running', 'waiting')";
      const { rows } = await database.pool.query(`select not exists (${open}) as idle`);
      return rows[0].idle;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function postTask(client: Pool, number: number): Promise<void> {
  const body = JSON.stringify({ type: "echo", payload: { hello: "world", number } });
  const answer = await client.request({ method: "POST", path: "/task", headers: { ...json, ...asPerson }, body });
  await answer.body.dump();
  if (answer.statusCode !== 201) throw new Error(`task ${number} was answered with ${answer.statusCode}`);
}

async function beat(client: Pool, type: { type: string; maxConcurrency: number }, url: string): Promise<void> {
  const body = { name: "bench", instance: "bench-1", url, types: [{ ...type, path: "/run" }] };
  const headers = { ...json, ...asService };
  const path = "/agents/heartbeat";
  const answer = await client.request({ method: "POST", path, headers, body: JSON.stringify(body) });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`a heartbeat was answered with ${answer.statusCode}`);
}

/** @throws Error unless every task of the database is completed and has its three events */
export async function checkLedger(databaseUrl: string): Promise<void> {
  const [row] = await query<{ tasks: number; completed: number; events: number }>(
    databaseUrl,
    `select (select count(*)::int from tasks) as tasks, (select count(*)::int from tasks where status = 'completed') as completed,
            (select count(*)::int from task_events) as events`,
  );
  if (row && row.tasks === row.completed && row.events === 3 * row.tasks) return;
  throw new Error(`of ${row?.tasks} tasks ${row?.completed} are completed, with ${row?.events} events`);
}
