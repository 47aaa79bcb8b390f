/** Clients that have a cursor which this ledger never gave, or gave in another life. */
import { encodeCursor } from "@signalbox/common/cursor.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { type Orchestrator, startOrchestrator } from "./orchestrator.fixture.ts";
import { openStream } from "./stream-client.fixture.ts";

type Client = ReturnType<typeof openStream>;

/** Each frame as its type; an event as the source of its task. */
const shown = ({ frames }: Client) => frames.map((frame) => (frame.type === "task" ? frame.task.source : frame.type));
const until = (client: Client, last: string) => eventually(() => shown(client).at(-1) === last, { what: last });

async function startBox(): Promise<Orchestrator> {
  const box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  return box;
}

/** A task whose one event is that it was created. */
const make = (box: Orchestrator, source: string) =>
  box.post({ type: "work", source, runAt: "2999-01-01T00:00:00.000Z" });

/** What a restore of an older backup leaves, or a failover to a server that was behind. */
async function takeBack({ database }: Orchestrator, events: number): Promise<void> {
  await database.pool.query(`
    alter table task_events disable trigger user;
    delete from task_events where seq > (select max(seq) - ${events} from task_events);
    select setval('task_events_seq', (select max(seq) from task_events));
    alter table task_events enable trigger user`);
}

test.concurrent("a cursor of another database is told as a gap, and what is new is shown", async () => {
  await using box = await startBox();
  using first = openStream(box);
  await first.hello();
  await make(box, "before");
  await until(first, "before");
  using client = openStream(box, `?types=task&since=${encodeCursor([9_000_000, 0])}`);
  await until(client, "gap");
  await make(box, "after");
  await until(client, "after");
  expect(shown(client)).toEqual(["hello", "gap", "after"]);
  // What the gap came with is a cursor of this ledger.
  using next = openStream(box, `?types=task&since=${client.frames[1]?.cursor}`);
  await until(next, "after");
  expect(shown(next)).toEqual(["hello", "after"]);
});

test.concurrent("who is there while the database goes back is told of a gap, and then shown what is new", async () => {
  await using box = await startBox();
  using client = openStream(box);
  await client.hello();
  for (const source of ["kept", "lost 1", "lost 2"]) await make(box, source);
  await until(client, "lost 2");
  await takeBack(box, 2);
  await until(client, "gap");
  for (const source of ["new 1", "new 2", "new 3"]) await make(box, source);
  await until(client, "new 3");
  expect(shown(client)).toEqual(["hello", "kept", "lost 1", "lost 2", "gap", "new 1", "new 2", "new 3"]);
});
