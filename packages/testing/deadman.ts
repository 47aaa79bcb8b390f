import { spawn } from "node:child_process";
import { platform } from "node:os";

export type Deadman = { release(): void };

/**
 * Ends process `pid` when ours disappears without a goodbye (SIGKILL, a crash), and removes `folder` if one is given.
 *
 * A shell waits for the end of a pipe that only we hold open: the kernel closes it however we die. It costs about one
 * megabyte, which a second Node process would not. Windows has no such shell; there a later start clears up.
 */
export function armDeadman(pid: number, folder = ""): Deadman {
  if (platform() === "win32") return { release: () => undefined };
  const script =
    'read -r _; kill -INT "$1" 2>/dev/null; while kill -0 "$1" 2>/dev/null; do sleep 0.2; done; [ -z "$2" ] || rm -rf "$2"';
  const shell = spawn("/bin/sh", ["-c", script, "signalbox-deadman", String(pid), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  shell.unref();
  shell.on("error", () => undefined);
  const pipe = shell.stdin as typeof shell.stdin & { unref?: () => void };
  pipe.on("error", () => undefined);
  pipe.unref?.();
  return { release: () => void shell.kill("SIGKILL") };
}
