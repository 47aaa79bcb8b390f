import type { Log, LogList } from "@signalbox/common/contracts/log.ts";
import { type Command, exitCodes, type Invocation, noneOf, sinceOf, textOf, type Values, wholeOf } from "../command.ts";
import type { Remote, StreamMessage } from "../remote.ts";
import { plain, type Terminal } from "../terminal.ts";
import { keepFollowing } from "./keep-following.ts";

const service = "logging" as const;
export const logs: Command = {
  name: "logs",
  usage: "[-f] [--trace ID] [--task ID] [--service NAME] [--level LEVEL] [-q TEXT] [--since TIME] [--limit N]",
  summary: "Read log records, and follow them",
  help: `  -f, --follow     go on with what comes in, until Ctrl-C
  --trace ID       of one trace
  --task ID        of one task
  --service NAME   of one service
  --level LEVEL    trace, debug, info, warn, error or fatal, and what is worse
  -q, --query TEXT whose text has this
  --since TIME     RFC 3339, or how long ago: 90s, 15m, 6h, 2d
  --limit N        at most so many of the newest, 1 to 1000   (100)
  --json           {"items","nextCursor"}; with -f one record a line`,
  options: {
    follow: { type: "boolean", short: "f" },
    trace: { type: "string" },
    task: { type: "string" },
    service: { type: "string" },
    level: { type: "string" },
    query: { type: "string", short: "q" },
    since: { type: "string" },
    limit: { type: "string" },
  },
  async run(invocation) {
    noneOf(invocation.positionals);
    const { values, terminal } = invocation;
    const filter = toFilter(values);
    const remote = await invocation.remote();
    const limit = wholeOf(values, "limit", { min: 1, max: 1_000 }) ?? 100;
    const read = () => remote.call<LogList>("/logs", { service, query: { ...filter, since: sinceOf(values), limit } });
    if (values.follow === true) await follow(invocation, remote, { filter, read });
    else {
      const page = await read();
      terminal.document(page);
      for (const record of page.items.toReversed()) show(record, terminal);
      if (page.items.length === 0) terminal.note("no record is like that");
    }
    return exitCodes.done;
  },
};

type Filter = Record<string, string | undefined>;
type Following = { filter: Filter; read: () => Promise<{ items: Log[] }> };

function toFilter(values: Values): Filter {
  return {
    traceId: textOf(values, "trace"),
    taskId: textOf(values, "task"),
    service: textOf(values, "service"),
    level: textOf(values, "level"),
    q: textOf(values, "query"),
  };
}

/** The stream is opened before the past is read, so that nothing falls between; what comes twice is shown once. */
async function follow(invocation: Invocation, remote: Remote, { filter, read }: Following): Promise<void> {
  const { terminal, signal } = invocation;
  const tell = buildTeller(terminal);
  const open = (since?: string) => remote.follow("/logs/stream", { service, query: { ...filter, since }, signal });
  const stream = open();
  const first = stream.next();
  // It is awaited below; until then its failure is nobody's surprise.
  first.catch(() => undefined);
  const tellPast = async () => {
    for (const record of (await read()).items.toReversed()) tell.record(record);
  };
  await tellPast();
  let since = tell.message((await first).value ?? null);
  for await (const message of stream) since = tell.message(message);
  await keepFollowing(invocation, async (onAlive) => {
    if (since === undefined) await tellPast();
    for await (const message of open(since)) {
      onAlive();
      since = tell.message(message);
    }
    return null;
  });
}

/** A record comes twice only around a resume; older ids need not be known. */
const mostKnown = 10_000;

function buildTeller(terminal: Terminal) {
  const shown = new Set<string>();
  let since: string | undefined;
  function record(one: Log): void {
    if (shown.has(one.id)) return;
    if (shown.size > mostKnown) shown.clear();
    shown.add(one.id);
    if (terminal.isJson) terminal.document(one);
    else show(one, terminal);
  }
  return {
    record,
    /** The cursor to go on from. */
    message(message: StreamMessage | null): string | undefined {
      if (message === null) return since;
      since = message.id ?? since;
      if (message.event === "gap") terminal.note("some records were dropped before they could be read");
      else record(JSON.parse(message.data) as Log);
      return since;
    },
  };
}

const styles = { trace: "dim", debug: "dim", info: "reset", warn: "yellow", error: "red", fatal: "red" } as const;

function show(record: Log, { line, paint }: Terminal): void {
  const data = record.data === null || record.data === undefined ? "" : ` ${plain(JSON.stringify(record.data))}`;
  const text = `${record.level.padEnd(5)} ${plain(record.message)}`;
  line(
    `${paint("dim", record.at)} ${paint("cyan", plain(record.service).padEnd(14))} ${paint(styles[record.level], text)}${paint("dim", data.slice(0, 300))}`,
  );
}
