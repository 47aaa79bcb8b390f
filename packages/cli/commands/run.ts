import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import {
  type Command,
  type ExitCode,
  exitCodes,
  type Invocation,
  textOf,
  usageError,
  type Values,
  wholeOf,
} from "../command.ts";
import { plain } from "../terminal.ts";
import { untilOf } from "./ask.ts";
import { exitCodeOf, hasEnded, waitForEnd } from "./wait.ts";

export const run: Command = {
  name: "run",
  usage: "<type> [<json> | @<file> | -] [options]",
  summary: "Make a task of a type and print its result",
  help: `The payload is JSON: as a word, from a file, or from stdin; without one it is {}.

  --priority N           -100 to 100, higher first
  --at TIME              not before this time (RFC 3339)
  --concurrency-key KEY  tasks of one key run in order, one at a time
  --idempotency-key KEY  the same key and payload again is the same task
  --approval REASON      a person must approve first
  --max-attempts N       1 to 25
  --timeout SECONDS      of one attempt
  --wait SECONDS         wait no longer than this; then the task goes on without you
  --no-wait              only make it
  --json                 the whole task on stdout`,
  options: {
    priority: { type: "string" },
    at: { type: "string" },
    "concurrency-key": { type: "string" },
    "idempotency-key": { type: "string" },
    approval: { type: "string" },
    "max-attempts": { type: "string" },
    timeout: { type: "string" },
    wait: { type: "string" },
    "no-wait": { type: "boolean" },
  },
  async run(invocation) {
    const { values, positionals, terminal } = invocation;
    const [type, payload, ...more] = positionals;
    if (type === undefined) throw usageError("say which type; signalbox types lists them");
    if (more.length > 0) throw usageError("the payload is one word of JSON; put it in quotes");
    const waitSeconds = wholeOf(values, "wait", { min: 0, max: 86_400 });
    const body = { type, source: "cli", ...(await readPayload(payload, invocation)), ...toTerms(values) };
    const remote = await invocation.remote();
    const key = textOf(values, "idempotency-key") ?? `cli:${uuidv7()}`;
    const made = await remote.call<Task>("/task", { method: "POST", body, headers: { "idempotency-key": key } });
    if (values["no-wait"] === true) return showTask(invocation, made);
    const ended = await waitForEnd(remote, made.id, { terminal, signal: untilOf(invocation, waitSeconds) });
    return showTask(invocation, ended ?? (await remote.call<Task>(`/task/${made.id}`)));
  },
};

async function readPayload(word: string | undefined, { terminal, folder }: Invocation): Promise<{ payload?: unknown }> {
  if (word === undefined) return {};
  const text =
    word === "-"
      ? await terminal.readInput()
      : word.startsWith("@")
        ? await readText(resolve(folder, word.slice(1)))
        : word;
  try {
    return { payload: JSON.parse(text) };
  } catch (error) {
    throw usageError(`the payload is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: Error) => {
    throw usageError(`${path} cannot be read: ${error.message}`);
  });
}

function toTerms(values: Values): object {
  const timeout = wholeOf(values, "timeout", { min: 1, max: 86_400 });
  const terms = {
    priority: wholeOf(values, "priority", { min: -100, max: 100 }),
    runAt: textOf(values, "at"),
    concurrencyKey: textOf(values, "concurrency-key"),
    maxAttempts: wholeOf(values, "max-attempts", { min: 1, max: 25 }),
    timeoutMs: timeout === undefined ? undefined : timeout * 1_000,
    approval: typeof values.approval === "string" ? { required: true, reason: values.approval } : undefined,
  };
  return Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined));
}

function showTask({ terminal }: Invocation, task: Task): ExitCode {
  terminal.document(task);
  if (!hasEnded(task)) {
    terminal.note(`task ${task.id} is ${task.status}; see it with: signalbox task watch ${task.id}`);
    return exitCodes.done;
  }
  if (task.status === "completed") terminal.line(plain(JSON.stringify(task.result, null, 2)));
  else terminal.note(terminal.paint("red", plain(`${task.status}: ${task.error?.code}: ${task.error?.message}`)));
  return exitCodeOf(task);
}
