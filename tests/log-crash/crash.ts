import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { findFreePort } from "@signalbox/testing/free-port.ts";
import { httpGet } from "@signalbox/testing/http-get.ts";
import { type RunningProcess, startProcess } from "@signalbox/testing/service-process.ts";
import type { Told } from "./sender-main.ts";

/*
 * Logging is killed with SIGKILL under three services that log, each a process of its own with the fleet's own client. What they had
 * an answer for must be in the table, what they kept on disk must come after the restart, and nothing twice.
 */

export type CrashOptions = {
  database: TestDatabase;
  /** of all three together */
  records: number;
  kills: number;
  say(line: string): void;
};

/** What was seen at one kill, of all senders together. */
export type Kill = {
  /** records that had been answered for when it came */
  accepted: number;
  /** records on disk when logging was started again */
  spooled: number;
};

export type Verdict = {
  kills: Kill[];
  /** By service: how many records are in the table, how many of them different, and whether in the order of their sender. */
  stored: { service: string; rows: number; different: number; isInOrder: boolean }[];
  dropped: number;
  /** Files that are left in the spool. */
  leftOnDisk: string[];
  seconds: number;
};

export const services = ["sender-a", "sender-b", "sender-c"];

const secrets = {
  BASIC_AUTH_USER: "operator",
  BASIC_AUTH_PASS: "a-test-password",
  INTERNAL_KEY: "a-test-internal-key",
};
const patienceMs = 120_000;

export async function crashLogging({ database, records, kills, say }: CrashOptions): Promise<Verdict> {
  const startedAt = performance.now();
  const spool = await mkdtemp(join(tmpdir(), "signalbox-log-crash-"));
  const logging = await newLogging(database);
  const each = Math.ceil(records / services.length);
  await logging.start();
  const senders = services.map((service) => startSender({ service, records: each, url: logging.url, spool }));
  try {
    const seen: Kill[] = [];
    for (let kill = 1; kill <= kills; kill++) {
      seen.push(await killOnce(logging, senders, { wanted: Math.floor((records * kill) / (kills + 1)), each }));
      say(
        `kill ${kill} of ${kills}: ${seen.at(-1)?.accepted} records accepted so far, then ${seen.at(-1)?.spooled} on disk`,
      );
    }
    for (const { process } of senders) {
      await process.says(new RegExp(`"written":${each},"left":0,"spooled":0[^\\n]*\\n$`), patienceMs);
      const { code } = await process.exited;
      if (code !== 0) throw new Error(`a sender ended with ${code}:\n${process.output().slice(-2_000)}`);
    }
    return {
      kills: seen,
      stored: await readStored(database),
      dropped: senders.reduce((sum, { told }) => sum + told().dropped, 0),
      leftOnDisk: await readdir(spool),
      seconds: (performance.now() - startedAt) / 1_000,
    };
  } finally {
    await Promise.all([...senders.map(({ process }) => process.stop("SIGKILL")), logging.stop()]);
    await rm(spool, { recursive: true, force: true });
  }
}

/** On one port over all its lives. */
async function newLogging(database: TestDatabase) {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { ...secrets, HOST: "127.0.0.1", PORT: String(port), DATABASE_URL: database.url, LOG_LEVEL: "fatal" };
  let running: RunningProcess | null = null;
  return {
    url,
    async start() {
      running = startProcess({ main: "services/logging/main.ts", env });
      const isUp = async () => (await httpGet(`${url}/health`)).status === 200;
      await eventually(isUp, { timeoutMs: 40_000, what: "logging" });
    },
    stop: async () => void (await running?.stop("SIGKILL")),
  };
}

type Logging = Awaited<ReturnType<typeof newLogging>>;

function startSender({
  service,
  records,
  url,
  spool,
}: {
  service: string;
  records: number;
  url: string;
  spool: string;
}) {
  const options = { service, records: String(records), url, key: secrets.INTERNAL_KEY, spool };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const process = startProcess({ main: "tests/log-crash/sender-main.ts", args });
  return { process, told: () => lastTold(process.output()) };
}

type Sender = ReturnType<typeof startSender>;

const nothingYet: Told = { written: 0, left: 0, spooled: 0, spooledMost: 0, dropped: 0 };

function lastTold(output: string): Told {
  const lines = output.slice(output.lastIndexOf("\n", output.length - 400) + 1).split("\n");
  const last = lines.at(-2);
  return last?.startsWith("{") ? (JSON.parse(last) as Told) : nothingYet;
}

/** How many are to be accepted of all senders, and how many there are of each. */
type Goal = { wanted: number; each: number };

/** As soon as so many were accepted; then away until each sender that has any left keeps records on disk. */
async function killOnce(logging: Logging, senders: readonly Sender[], { wanted, each }: Goal): Promise<Kill> {
  const sum = (count: (told: Told) => number) => senders.reduce((total, { told }) => total + count(told()), 0);
  const countAccepted = () => sum(countAcceptedOf);
  const wait = { timeoutMs: patienceMs, everyMs: 5 };
  await eventually(() => countAccepted() >= wanted, { ...wait, what: `the kill after ${wanted} records` });
  await logging.stop();
  const accepted = countAccepted();
  const isOnDisk = (told: Told) => told.spooled > 0 || countAcceptedOf(told) === each;
  await eventually(() => senders.every(({ told }) => isOnDisk(told())), { ...wait, what: "records on disk" });
  const spooled = sum((told) => told.spooled);
  await logging.start();
  return { accepted, spooled };
}

function countAcceptedOf({ written, left, spooled, dropped }: Told): number {
  return written - left - spooled - dropped;
}

async function readStored({ pool }: TestDatabase): Promise<Verdict["stored"]> {
  const { rows } = await pool.query<{ service: string; rows: number; different: number; in_order: boolean }>(
    `select service, count(*)::integer as rows, count(distinct n)::integer as different,
            coalesce(bool_and(n > before), true) as in_order
       from (select service, n, lag(n) over (partition by service order by seq) as before
               from (select service, seq, (data->>'n')::integer as n from logs where data ? 'n') records) steps
      group by service order by service`,
  );
  return rows.map(({ in_order: isInOrder, ...row }) => ({ ...row, isInOrder }));
}
