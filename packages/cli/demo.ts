import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { messageOf } from "@signalbox/testing/setup-error.ts";
import { openStage } from "./demo/stage.ts";
import { buildStory, storySettings } from "./demo/story.ts";

/*
 * `pnpm demo`: a rehearsal in which a story is played, so that a newcomer sees in two minutes what the fleet does. It has a home of its
 * own. Afterwards everything stays up to be looked at, until Ctrl-C; with `--once` it ends.
 */

const usage = `pnpm demo [--once]

Plays a story in a rehearsal: a push, a deploy that fails and is mended, a metric that falls, a finding, an approval by chat, a rollback.
No account is needed, and nothing leaves this machine. Afterwards the fleet stays up until Ctrl-C; with --once it ends.
SIGNALBOX_HOME and SIGNALBOX_PORT_BASE count as for pnpm start.`;

type Rehearsal = { ready: Promise<void>; ended: Promise<number>; stop(): void };

function startRehearsal(home: string): Rehearsal {
  const child = spawn(process.execPath, [join(repositoryRoot, "packages", "cli", "start.ts"), "--rehearse"], {
    cwd: repositoryRoot,
    env: { ...process.env, ...storySettings, SIGNALBOX_HOME: home, LOG_LEVEL: process.env.LOG_LEVEL ?? "error" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number>((done) => child.once("close", (code) => done(code ?? 1)));
  return { ready: untilReady(child, ended), ended, stop: () => void child.kill("SIGTERM") };
}

/** Passes on what it says while it starts; what comes after that would stand in the middle of the story. */
function untilReady(child: ChildProcess, ended: Promise<number>): Promise<void> {
  return new Promise((done, refuse) => {
    let said = "";
    let isReady = false;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (isReady) return;
      said += text;
      process.stdout.write(text);
      isReady = /Ready after/.test(said);
      if (isReady) done();
    });
    void ended.then(() => refuse(new Error("the rehearsal ended")));
  });
}

async function play(home: string): Promise<void> {
  const stage = await openStage(home);
  const scenes = buildStory(stage);
  for (const [index, { title, play: playScene }] of scenes.entries()) {
    process.stdout.write(`\n${index + 1}/${scenes.length}  ${title}\n`);
    for (const line of await playScene()) process.stdout.write(`     ${line}\n`);
  }
}

async function main(): Promise<number> {
  const options = { once: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;
  let once = false;
  try {
    const { values } = parseArgs({ options });
    once = values.once ?? false;
    if (values.help) {
      process.stdout.write(`${usage}\n`);
      return 0;
    }
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${usage}\n`);
    return 2;
  }
  const home = resolve(process.env.SIGNALBOX_HOME || join(repositoryRoot, ".signalbox", "demo"));
  const rehearsal = startRehearsal(home);
  // The rehearsal hears Ctrl-C itself when it comes from a terminal, and otherwise from here.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, rehearsal.stop);
  try {
    await rehearsal.ready;
    await play(home);
    process.stdout.write(once ? "\nThe end.\n" : "\nThe end. The fleet stays up to be looked at; Ctrl-C stops it.\n");
    if (once) rehearsal.stop();
    return await rehearsal.ended;
  } catch (error) {
    process.stderr.write(`\nThe story broke off: ${messageOf(error)}\n`);
    rehearsal.stop();
    await rehearsal.ended;
    return 1;
  }
}

process.exitCode = await main();
