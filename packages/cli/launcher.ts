import { findCommandLine, findParent, findProcessIdentity } from "./process-identity.ts";

/*
 * `npx pnpm start` is a chain of npm, a shell, pnpm, another shell and then us. Ended by a plain `kill`, as a script does
 * with what it started, npm goes without telling anyone below it, and the fleet would run on unseen. So when we were
 * started by such a chain, its top is watched, and its end is taken for the wish to stop.
 */

/** The program itself, a script that Node or a shell runs, or the title that npm gives itself; not a word among its arguments. */
const launcher =
  /^(?:\S*\/)?(?:(?:node(?: --\S+)*|(?:ba|da|z)?sh) )?(?:\S*\/)?(?:npx|npm|pnpm|pnpx|yarn|corepack)(?:-cli)?(?:\.[cm]?js)?(?: |$)/;
const shell = /(?:^|\/)(?:ba|da|z)?sh -c /;
const everyMs = 1_000;

/** Calls `onGone` once when the chain that started us has ended; does nothing when nobody did. */
export async function watchLauncher(environment: NodeJS.ProcessEnv, onGone: () => void): Promise<void> {
  if (!environment.npm_lifecycle_event) return;
  const top = await findTop(process.ppid);
  const identity = top === null ? null : await findProcessIdentity(top);
  if (top === null || identity === null) return;
  const timer = setInterval(async () => {
    if ((await findProcessIdentity(top)) === identity) return;
    clearInterval(timer);
    onGone();
  }, everyMs);
  timer.unref();
}

export function isLauncher(command: string): boolean {
  return launcher.test(command);
}

/** The highest process of an unbroken chain of launchers and their shells above us; null when there is none. */
async function findTop(pid: number): Promise<number | null> {
  let top: number | null = null;
  for (let at = pid; at > 1; ) {
    const command = (await findCommandLine(at)) ?? "";
    if (isLauncher(command)) top = at;
    else if (!shell.test(command)) break;
    const parent = await findParent(at);
    if (parent === null) break;
    at = parent;
  }
  return top;
}
