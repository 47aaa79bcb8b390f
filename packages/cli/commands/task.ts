import type { Task, TaskList, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import {
  type Command,
  type ExitCode,
  exitCodes,
  type Invocation,
  noneOf,
  onlyOne,
  sinceOf,
  textOf,
  usageError,
  type Values,
  wholeOf,
} from "../command.ts";
import { plain, type Terminal, toAge, toTable } from "../terminal.ts";
import { exitCodeOf, hasEnded, tellWaiting, waitForEnd } from "./wait.ts";

const actions: Record<string, (invocation: Invocation, words: string[]) => Promise<ExitCode>> = {
  get: getTask,
  list: listTasks,
  watch: watchTask,
  cancel: (invocation, words) => act(invocation, words, "cancel"),
  retry: (invocation, words) => act(invocation, words, "retry"),
  approve: (invocation, words) => decide(invocation, words, "approve"),
  reject: (invocation, words) => decide(invocation, words, "reject"),
  input: answer,
};

export const task: Command = {
  name: "task",
  usage: "get|list|watch|cancel|retry|approve|reject|input [<id>] [options]",
  summary: "Look at tasks, stop them, decide about them",
  help: `  get <id>             the task and its events
  list                 newest first: --status a,b  --type T  --user KEY  --trace ID  --since TIME|15m  --limit N  --cursor C
  watch <id>           follow it to its end
  cancel <id>          stop it and all below it: --reason TEXT
  retry <id>           run it again: --reason TEXT
  approve <id>         let it run: --if-version N is the version that you saw; without it you are shown and asked; --note TEXT
  reject <id>          refuse it, in the same way
  input <id> <answer>  answer its question; JSON is taken as JSON, anything else as text`,
  options: {
    status: { type: "string" },
    type: { type: "string" },
    user: { type: "string" },
    trace: { type: "string" },
    since: { type: "string" },
    limit: { type: "string" },
    cursor: { type: "string" },
    reason: { type: "string" },
    note: { type: "string" },
    "if-version": { type: "string" },
  },
  async run(invocation) {
    const [name = "", ...words] = invocation.positionals;
    const action = actions[name];
    if (action === undefined) throw usageError(`say what to do with tasks: ${Object.keys(actions).join(", ")}`);
    return action(invocation, words);
  },
};

async function getTask({ terminal, remote }: Invocation, words: string[]): Promise<ExitCode> {
  const found = await (await remote()).call<TaskWithEvents>(`/task/${onlyOne(words, "task")}`);
  terminal.document(found);
  describe(found, terminal);
  for (const event of found.events) {
    const data = JSON.stringify(event.data);
    terminal.line(
      `  ${event.at}  ${event.kind.padEnd(18)} ${plain(event.actor)} ${data === "{}" ? "" : plain(data).slice(0, 200)}`,
    );
  }
  return exitCodes.done;
}

function describe(found: Task & { why?: TaskWithEvents["why"] }, { line, paint }: Terminal): void {
  line(
    `${paint("bold", plain(found.type))}  ${paintStatus(found, paint)}  version ${found.version}  attempt ${found.attempt} of ${found.maxAttempts}`,
  );
  line(`  id       ${found.id}\n  trace    ${found.traceId}\n  created  ${found.createdAt} by ${plain(found.source)}`);
  if (found.why)
    line(`  why      ${found.why.reason}${found.why.detail === null ? "" : `: ${plain(found.why.detail)}`}`);
  if (found.approval) line(`  approval ${plain(found.approval.prompt ?? found.approval.reason ?? "needed")}`);
  line(`  payload  ${plain(JSON.stringify(found.payload))}`);
  if (found.result !== null) line(`  result   ${plain(JSON.stringify(found.result))}`);
  if (found.error) line(paint("red", `  error    ${plain(`${found.error.code}: ${found.error.message}`)}`));
}

const statusStyles = {
  queued: "dim",
  running: "blue",
  waiting: "yellow",
  completed: "green",
  failed: "red",
  canceled: "dim",
} as const;

function paintStatus({ status, waitingFor }: Task, paint: Terminal["paint"]): string {
  return paint(statusStyles[status], waitingFor === null ? status : `${status} for ${waitingFor}`);
}

async function listTasks({ values, terminal, remote }: Invocation, words: string[]): Promise<ExitCode> {
  noneOf(words);
  const query = {
    status: statusesOf(values),
    type: textOf(values, "type"),
    userKey: textOf(values, "user"),
    traceId: textOf(values, "trace"),
    since: sinceOf(values),
    cursor: textOf(values, "cursor"),
    limit: wholeOf(values, "limit", { min: 1, max: 200 }) ?? 20,
  };
  const page = await (await remote()).call<TaskList>("/tasks", { query });
  terminal.document(page);
  const rows = page.items.map((one) => [
    one.id,
    one.status,
    one.type,
    toAge(one.createdAt, Date.now()),
    one.error?.message ?? "",
  ]);
  if (rows.length === 0) terminal.line("no task is like that; signalbox run <type> makes one");
  else for (const line of toTable(["id", "status", "type", "created", ""], rows)) terminal.line(line);
  if (page.nextCursor !== null) terminal.note(`more: --cursor ${page.nextCursor}`);
  return exitCodes.done;
}

function statusesOf(values: Values): string | undefined {
  const text = textOf(values, "status");
  const unknown = text?.split(",").find((word) => !(word in statusStyles));
  if (unknown === undefined) return text;
  throw usageError(`there is no status "${unknown}"; there are ${Object.keys(statusStyles).join(", ")}`);
}

async function watchTask({ terminal, remote, signal }: Invocation, words: string[]): Promise<ExitCode> {
  const id = onlyOne(words, "task");
  const there = await remote();
  const read = () => there.call<Task>(`/task/${id}`);
  const before = await read();
  if (before.status === "waiting") tellWaiting(before, terminal);
  const watching = { terminal, signal, known: before.version };
  const now = hasEnded(before) ? before : ((await waitForEnd(there, id, watching)) ?? (await read()));
  terminal.document(now);
  describe(now, terminal);
  return exitCodeOf(now);
}

async function act({ values, terminal, remote }: Invocation, words: string[], action: string): Promise<ExitCode> {
  const id = onlyOne(words, "task");
  const reason = textOf(values, "reason");
  const changed = await (await remote()).call<Task>(`/task/${id}/${action}`, {
    method: "POST",
    body: reason === undefined ? {} : { reason },
  });
  terminal.document(changed);
  describe(changed, terminal);
  return exitCodes.done;
}

/** Nobody approves what they did not see: either the version is named, or it is shown and confirmed here. */
async function decide(invocation: Invocation, words: string[], verdict: "approve" | "reject"): Promise<ExitCode> {
  const { values, terminal, remote } = invocation;
  const id = onlyOne(words, "task");
  const named = wholeOf(values, "if-version", { min: 1, max: 2_147_483_647 });
  const ifVersion = named ?? (await showAndAsk(invocation, id, verdict));
  if (ifVersion === null) {
    terminal.note("nothing was decided");
    return exitCodes.done;
  }
  const note = textOf(values, "note");
  const body = { ifVersion, ...(note === undefined ? {} : { note }) };
  const decided = await (await remote()).call<Task>(`/task/${id}/${verdict}`, { method: "POST", body });
  terminal.document(decided);
  describe(decided, terminal);
  return exitCodes.done;
}

async function showAndAsk({ terminal, remote }: Invocation, id: string, verdict: string): Promise<number | null> {
  if (!terminal.isInteractive || terminal.isJson) {
    throw usageError(`say which version you saw: signalbox task ${verdict} ${id} --if-version N`);
  }
  const seen = await (await remote()).call<TaskWithEvents>(`/task/${id}`);
  describe(seen, terminal);
  if (hasEnded(seen)) throw usageError(`the task is ${seen.status}; there is nothing to ${verdict}`);
  return (await terminal.confirm(`${verdict} version ${seen.version}?`)) ? seen.version : null;
}

async function answer({ values, terminal, remote }: Invocation, words: string[]): Promise<ExitCode> {
  const [id, ...rest] = words;
  if (id === undefined || rest.length === 0) throw usageError("signalbox task input <id> <answer>");
  const there = await remote();
  const named = wholeOf(values, "if-version", { min: 1, max: 2_147_483_647 });
  const ifVersion = named ?? (await there.call<Task>(`/task/${id}`)).version;
  const body = { ifVersion, input: toInput(rest.join(" ")) };
  const answered = await there.call<Task>(`/task/${id}/input`, { method: "POST", body });
  terminal.document(answered);
  describe(answered, terminal);
  return exitCodes.done;
}

function toInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
