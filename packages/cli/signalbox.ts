#!/usr/bin/env node
import { type ParseArgsConfig, parseArgs } from "node:util";
import { version } from "@signalbox/common/version.ts";
import { type Command, CommandError, type ExitCode, exitCodes, type Invocation, usageError } from "./command.ts";
import { ask } from "./commands/ask.ts";
import { backup, restore } from "./commands/backup.ts";
import { buildCompletion } from "./commands/completion.ts";
import { doctor } from "./commands/doctor.ts";
import { agents, findings, schedules, types } from "./commands/lists.ts";
import { logs } from "./commands/logs.ts";
import { render } from "./commands/render.ts";
import { run } from "./commands/run.ts";
import { open, pair } from "./commands/small.ts";
import { task } from "./commands/task.ts";
import { findAccess } from "./credentials.ts";
import { buildRemote } from "./remote.ts";
import { buildTerminal, plain, type Terminal } from "./terminal.ts";

const commands: readonly Command[] = [
  ask,
  run,
  task,
  logs,
  agents,
  types,
  schedules,
  findings,
  render,
  pair,
  doctor,
  backup,
  restore,
  open,
  buildCompletion(() => commands),
];

const overview = `signalbox <command> [options]

${commands.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join("\n")}

signalbox <command> --help says more. With --json the result is one JSON document on stdout; what is under way goes to stderr.

The fleet is found by its fleet.json, in .signalbox of this folder or of one above it. SIGNALBOX_HOME names another place;
SIGNALBOX_URL, SIGNALBOX_USER and SIGNALBOX_PASS (or the file ~/.config/signalbox/env, mode 0600) a fleet elsewhere.

Exit codes: 0 done, 1 the task failed, 2 usage, 3 the fleet cannot be reached, 4 refused (401, 403), 5 conflict.`;

/** A launcher runs scripts in the folder of the repository; this is where the person stands. */
const ownFolder = process.env.INIT_CWD || process.cwd();

async function main(words: string[]): Promise<ExitCode> {
  const [name, ...rest] = words[0] === "--json" ? [...words.slice(1), "--json"] : words;
  const streams = { input: process.stdin, output: process.stdout, errors: process.stderr };
  const terminal = buildTerminal(streams, rest.includes("--json"));
  if (name === undefined || name === "help" || name.startsWith("-")) return showOverview(name, terminal);
  const command = commands.find((one) => one.name === name);
  try {
    if (command === undefined)
      throw usageError(`there is no command "${name}"${suggest(name)}; signalbox --help lists them`);
    return await carryOut(command, rest, terminal);
  } catch (error) {
    return report(toCommandError(error), terminal);
  }
}

function showOverview(name: string | undefined, terminal: Terminal): ExitCode {
  if (name === "--version") {
    terminal.document({ version });
    terminal.line(version);
    return exitCodes.done;
  }
  if (name === "help" || name === "--help" || name === "-h") {
    terminal.line(overview);
    return exitCodes.done;
  }
  terminal.note(overview);
  return exitCodes.usage;
}

async function carryOut(command: Command, words: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parse(command, words);
  if (values.help === true) {
    const { name, usage, summary, help } = command;
    terminal.line(`${`signalbox ${name} ${usage}`.trim()}\n\n${summary}.${help === undefined ? "" : `\n\n${help}`}`);
    return exitCodes.done;
  }
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort(new CommandError(exitCodes.failed, "interrupted", "interrupted")));
  const { signal } = interrupted;
  let remote: ReturnType<Invocation["remote"]> | undefined;
  return command.run({
    values,
    positionals,
    terminal,
    folder: ownFolder,
    signal,
    remote() {
      remote ??= findAccess(process.env, ownFolder).then((access) => buildRemote(access, signal));
      return remote;
    },
  });
}

function parse(command: Command, words: string[]): Pick<Invocation, "values" | "positionals"> {
  const config = {
    args: words,
    options: { ...command.options, json: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
    strict: true,
  } as const satisfies ParseArgsConfig;
  try {
    return parseArgs(config) as Pick<Invocation, "values" | "positionals">;
  } catch (error) {
    throw usageError(
      `${error instanceof Error ? error.message : String(error)}; signalbox ${command.name} --help says what is`,
    );
  }
}

/** The command that was probably meant: `tasks` is task, `sched` is schedules. */
function suggest(name: string): string {
  const near = commands.find((one) => one.name.startsWith(name) || name.startsWith(one.name));
  return near ? ` (${near.name}?)` : "";
}

function toCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof Error && error.cause instanceof CommandError) return error.cause;
  return new CommandError(exitCodes.failed, "failed", error instanceof Error ? error.message : String(error));
}

function report(error: CommandError, terminal: Terminal): ExitCode {
  const details = error.details === undefined ? {} : { details: error.details };
  terminal.document({ error: { code: error.code, message: error.message, ...details } });
  terminal.note(terminal.paint("red", plain(`signalbox: ${error.message}`)));
  const paths = (error.details ?? []).filter(isPathed).map((detail) => `${detail.path} ${detail.message}`);
  for (const path of paths) if (!error.message.includes(path)) terminal.note(`  ${plain(path)}`);
  return error.exitCode;
}

function isPathed(detail: unknown): detail is { path: string; message: string } {
  return typeof detail === "object" && detail !== null && "path" in detail && "message" in detail;
}

/** Who reads no more has seen enough (`| head`); a disk that is full has not got what was asked for. */
process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
  if (code !== "EPIPE") process.stderr.write(`signalbox: stdout cannot be written: ${message}\n`);
  process.exit(code === "EPIPE" ? exitCodes.done : exitCodes.failed);
});
process.exitCode = await main(process.argv.slice(2));
