import { join } from "node:path";
import type { LogReceipt } from "@signalbox/common/contracts/log.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { type Fault, lasting, type Scene } from "../scene.ts";

/** Orchestrators whose spool takes nothing: the one finds its disk full, the other may write no large file. */
async function startWithFullSpools({ world }: Scene): Promise<void> {
  const [first, second] = world.orchestrators;
  await first?.end("SIGTERM");
  await first?.start({
    nodeArgs: ["--import", "./tests/faults/full-disk.ts"],
    env: { FULL_DISK: join(world.folder, "spool") },
  });
  await second?.end("SIGTERM");
  // In units of 512 bytes; the exec keeps the process the suite's own child.
  await second?.start({ inFront: ["/bin/sh", "-c", 'ulimit -f 4; exec "$0" "$@"'] });
}

const spoolFull: Fault = {
  name: "spool-full",
  about: "logging away while one orchestrator's disk is full (ENOSPC) and another may write no more (EFBIG)",
  async inject(scene) {
    const { world, dice } = scene;
    await startWithFullSpools(scene);
    scene.injected("spools that take nothing");
    await world.logging.end("SIGTERM");
    scene.injected("logging is away");
    await lasting(dice.between(8_000, 12_000));
    // What they hold is now lost with them, and they say how much it was.
    const [first, second] = world.orchestrators;
    await Promise.all([first?.end("SIGTERM"), second?.end("SIGTERM")]);
    await Promise.all([first?.start(), second?.start()]);
    await world.logging.start();
    await lasting(2_000);
  },
};

const floodRows = 100_000;
const batchRows = 1_000;
const lanes = 4;

/** Batches of records, some of them large, as fast as they are taken; what is refused or lost is sent again under its ids. */
async function flood({ world, label }: Scene, lane: number): Promise<number> {
  const client = world.client("flood", label, lane);
  let accepted = 0;
  for (let left = floodRows / lanes; left > 0; left -= batchRows) {
    const body = Array.from({ length: batchRows }, (_, at) => ({
      id: uuidv7(),
      level: "info",
      service: `flood ${label}`,
      message: at === 0 ? "m".repeat(1_000_000) : `record ${at}`,
    }));
    const asked = { method: "POST", body, as: "service", base: world.logging.url, timeoutMs: 10_000 } as const;
    const reply = await client.persist<LogReceipt>("/log", { ...asked, giveUpMs: 60_000 });
    if (reply?.status === 202) accepted += reply.body.accepted;
    else world.violate("log flood", `a batch was answered with ${reply?.status}: ${reply?.text.slice(0, 100)}`);
  }
  world.say(`  lane ${lane}: ${accepted} records were accepted, ${client.traffic.repeats} batches sent again`);
  return accepted;
}

const logFlood: Fault = {
  name: "log-flood",
  about: "100,000 records with messages of 1 MB among them, and logging away in the middle of it",
  async inject(scene) {
    const { world, label, dice } = scene;
    const flooding = Promise.all(Array.from({ length: lanes }, (_, lane) => flood(scene, lane)));
    scene.injected(`${floodRows} records`);
    await lasting(dice.between(1_000, 3_000));
    await world.logging.end("SIGKILL");
    scene.injected("logging is away");
    await lasting(5_000);
    await world.logging.start();
    const accepted = (await flooding).reduce((sum, count) => sum + count, 0);
    const [row] = await world.query<{ n: number }>("select count(*)::int as n from logs where service = $1", [
      `flood ${label}`,
    ]);
    if (row?.n !== accepted)
      world.violate("I6", `${accepted} records of the flood were accepted, ${row?.n} are stored`);
  },
};

const poison: Record<string, unknown> = {
  "a NUL": { level: "info", service: "poison", message: "a\u0000b" },
  "half a surrogate pair": '{"level":"info","service":"poison","message":"\\ud800"}',
  "no message": { level: "info", service: "poison" },
  "a level that is none": { level: "loud", service: "poison", message: "m" },
  "a time of long ago": { level: "info", service: "poison", message: "m", at: "1999-01-01T00:00:00.000Z" },
  "a number without end": '{"level":"info","service":"poison","message":"m","data":{"n":1e400}}',
};

/** One bad record among five hundred: it alone is rejected, or, where its bytes are no JSON of ours, the whole batch is. */
async function poisonBatch(scene: Scene, what: string): Promise<void> {
  const { world, label } = scene;
  const good = Array.from({ length: 499 }, (_, at) => ({
    id: uuidv7(),
    level: "info",
    service: "healthy",
    message: `m ${at}`,
  }));
  const bad = poison[what];
  const texts = good.map((record) => JSON.stringify(record));
  texts.splice(250, 0, typeof bad === "string" ? bad : JSON.stringify(bad));
  const client = world.client("poison", label, what);
  const headers = { "content-type": "application/x-ndjson" };
  const asked = { method: "POST", body: texts.join("\n"), headers, as: "service", base: world.logging.url } as const;
  const reply = await client.persist<LogReceipt>("/log", { ...asked, giveUpMs: 20_000 });
  const [row] = await world.query<{ n: number }>("select count(*)::int as n from logs where id = any ($1::uuid[])", [
    good.map(({ id }) => id),
  ]);
  scene.injected(`a batch with ${what}`);
  const isAlone = reply?.status === 202 && row?.n === 499 && reply.body.rejected.length <= 1;
  if (!isAlone)
    world.violate(
      "poison",
      `a batch with ${what}: ${reply?.status} ${reply?.text.slice(0, 150)}, ${row?.n} of 499 stored`,
    );
}

const poisonRecord: Fault = {
  name: "poison-record",
  about: "one record of five hundred that cannot be stored",
  async inject(scene) {
    for (const what of scene.dice.shuffle(Object.keys(poison))) await poisonBatch(scene, what);
  },
};

export const logFaults = [spoolFull, logFlood, poisonRecord];
