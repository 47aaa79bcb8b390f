import { type Command, exitCodes, noneOf, textOf, type Values } from "../command.ts";
import type { ServiceName } from "../credentials.ts";
import { toAge, toTable } from "../terminal.ts";

type Item = Record<string, unknown>;
type Shown = { heads: string[]; toRow(item: Item, nowMs: number): string[]; none: string };

/** A command that shows one list of a service as a table, or as it came with `--json`. */
function listCommand(what: {
  name: string;
  summary: string;
  path: string;
  service?: ServiceName;
  options?: Command["options"];
  usage?: string;
  toQuery?(values: Values): Record<string, string | undefined>;
  shown: Shown;
}): Command {
  return {
    name: what.name,
    usage: what.usage ?? "",
    summary: what.summary,
    ...(what.options && { options: what.options }),
    async run({ positionals, values, terminal, remote }) {
      noneOf(positionals);
      const query = what.toQuery?.(values) ?? {};
      const asked = { query, ...(what.service && { service: what.service }) };
      const page = await (await remote()).call<{ items: Item[]; nextCursor: string | null }>(what.path, asked);
      terminal.document(page);
      const rows = page.items.map((item) => what.shown.toRow(item, Date.now()));
      if (rows.length === 0) terminal.line(what.shown.none);
      else for (const line of toTable(what.shown.heads, rows)) terminal.line(line);
      if (page.nextCursor) terminal.note(`these are the first ${rows.length}; the dashboard has all of them`);
      return exitCodes.done;
    },
  };
}

const text = (value: unknown) => (value === null || value === undefined ? "-" : String(value));

export const agents = listCommand({
  name: "agents",
  summary: "The agents that have registered, and whether they live",
  path: "/agents",
  shown: {
    heads: ["name", "instance", "state", "running", "seen", "types"],
    toRow: (item, now) => [
      text(item.name),
      text(item.instance),
      text(item.state),
      text(item.running),
      toAge(item.lastSeenAt as string, now),
      (item.types as { type: string }[]).map(({ type }) => type).join(" "),
    ],
    none: "no agent has registered within a day",
  },
});

export const types = listCommand({
  name: "types",
  summary: "The task types that can be run",
  path: "/task-types",
  shown: {
    heads: ["type", "live", "agents", ""],
    toRow: (item) => [
      text(item.type),
      item.live ? "yes" : "no",
      (item.agents as string[]).join(" "),
      text(item.description),
    ],
    none: "no agent has ever registered a type",
  },
});

export const schedules = listCommand({
  name: "schedules",
  summary: "What runs by the clock",
  path: "/schedules",
  shown: {
    heads: ["name", "enabled", "next", "last", "when", "id"],
    toRow: (item, now) => [
      text(item.name),
      item.enabled ? "yes" : "no",
      toAge((item.nextAt as string | null) ?? null, now),
      toAge((item.lastFiredAt as string | null) ?? null, now),
      text(item.cron ?? item.at ?? `every ${item.everySeconds} s`),
      text(item.id),
    ],
    none: "no schedule; POST /schedules makes one",
  },
});

export const findings = listCommand({
  name: "findings",
  summary: "What the watcher has found",
  path: "/findings",
  service: "posthog-watcher",
  usage: "[--status S] [--severity S]",
  options: { status: { type: "string" }, severity: { type: "string" } },
  toQuery: (values) => ({ status: textOf(values, "status"), severity: textOf(values, "severity") }),
  shown: {
    heads: ["severity", "status", "opened", "title", "id"],
    toRow: (item, now) => [
      text(item.severity),
      text(item.status),
      toAge(item.openedAt as string, now),
      text(item.title),
      text(item.id),
    ],
    none: "nothing was found",
  },
});
