import { spawn } from "node:child_process";
import { type Command, CommandError, exitCodes, noneOf } from "../command.ts";

type Pairing = { url: string; code: string; expiresAt: string };

export const pair: Command = {
  name: "pair",
  usage: "",
  summary: "Let a Telegram account in: prints a link that works once, for ten minutes",
  async run({ positionals, terminal, remote }) {
    noneOf(positionals);
    const asked = { service: "telegram", method: "POST", body: {} } as const;
    const pairing = await (await remote()).call<Pairing>("/telegram/pairings", asked);
    terminal.document(pairing);
    terminal.line(
      `${pairing.url}\nopen it on the phone before ${pairing.expiresAt}, or send the bot: /start ${pairing.code}`,
    );
    return exitCodes.done;
  },
};

export const open: Command = {
  name: "open",
  usage: "",
  summary: "Open the dashboard in the browser",
  async run({ positionals, terminal, remote }) {
    noneOf(positionals);
    const { dashboard } = (await remote()).access;
    if (dashboard === null) {
      throw new CommandError(
        exitCodes.unreachable,
        "no_dashboard",
        "the dashboard's address is not known; set SIGNALBOX_DASHBOARD_URL",
      );
    }
    terminal.document({ url: dashboard });
    terminal.line(dashboard);
    if (terminal.isInteractive) openPage(dashboard);
    return exitCodes.done;
  },
};

const openers: Partial<Record<NodeJS.Platform, string>> = { darwin: "open", win32: "explorer" };

/** The address is printed anyway; a machine without a browser is no error. */
function openPage(url: string): void {
  const child = spawn(openers[process.platform] ?? "xdg-open", [url], { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}
