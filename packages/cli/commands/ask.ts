import { userInfo } from "node:os";
import type { Run } from "@signalbox/common/contracts/run.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { type Command, type ExitCode, exitCodes, type Invocation, textOf, usageError, wholeOf } from "../command.ts";
import type { Remote } from "../remote.ts";
import { plain } from "../terminal.ts";
import { waitForEnd } from "./wait.ts";

/** The longest wait that can be asked for, in seconds. */
const maxWait = 86_400;

export const ask: Command = {
  name: "ask",
  usage: '"<text>" [--conversation KEY] [--wait SECONDS | --no-wait]',
  summary: "Say something to the fleet and print its answer",
  help: `The text is an event of the type cli.message; "-", or no text at all, takes it from stdin.
Messages of one conversation are answered in order; without --conversation each is one of its own.

  --conversation KEY   the conversation that it belongs to
  --wait SECONDS       wait no longer than this; then the run goes on without you
  --no-wait            only start it
  --json               {"run_id","status","output"|"error"} on stdout, nothing else`,
  options: {
    conversation: { type: "string" },
    wait: { type: "string" },
    "no-wait": { type: "boolean" },
  },
  async run(invocation) {
    const { values, terminal } = invocation;
    const text = await readText(invocation);
    const waitSeconds = wholeOf(values, "wait", { min: 0, max: maxWait });
    const remote = await invocation.remote();
    const { run_id } = await remote.call<Run>("/v1/events", {
      method: "POST",
      body: {
        schema_version: 1,
        type: "cli.message",
        conversation_key: textOf(values, "conversation") ?? `cli:${uuidv7()}`,
        user_key: `cli:${userInfo().username}`,
        text,
      },
      // Sent again after a broken connection, it is still one run.
      headers: { "idempotency-key": `cli:${uuidv7()}` },
    });
    if (values["no-wait"] !== true)
      await waitForEnd(remote, run_id, { terminal, signal: untilOf(invocation, waitSeconds) });
    return show(invocation, await readRun(remote, run_id));
  },
};

async function readText({ positionals, terminal }: Invocation): Promise<string> {
  const given = positionals.join(" ");
  if (given === "" && terminal.isInteractive) throw usageError('say what: signalbox ask "<text>"');
  const text = given === "" || given === "-" ? (await terminal.readInput()).trim() : given;
  if (text === "") throw usageError("there is no text to send; stdin was empty");
  return text;
}

export function untilOf({ signal }: Invocation, waitSeconds: number | undefined): AbortSignal {
  return waitSeconds === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(waitSeconds * 1_000)]);
}

function readRun(remote: Remote, id: string): Promise<Run> {
  return remote.call(`/v1/runs/${id}`);
}

function show({ terminal }: Invocation, run: Run): ExitCode {
  terminal.document(run);
  if (run.status === "running")
    terminal.note(`run ${run.run_id} goes on; see it with: signalbox task watch ${run.run_id}`);
  if (run.status === "succeeded") terminal.line(plain(toText(run.output)));
  if (run.status === "failed") terminal.note(terminal.paint("red", plain(`${run.error?.code}: ${run.error?.message}`)));
  return run.status === "failed" ? exitCodes.failed : exitCodes.done;
}

function toText(output: unknown): string {
  return typeof output === "string" ? output : JSON.stringify(output, null, 2);
}
