/** Commands that only look. What another agent knows is asked of it at the address that it registered. */
import type { Agent } from "@signalbox/common/contracts/agent.ts";
import { CallError } from "@signalbox/common/fleet-call.ts";
import { fromOwnHtml, quote } from "../message.ts";
import { escapeHtml } from "../rich-text.ts";
import type { Answer, CommandCall } from "./serve-command.ts";

export async function answerStatus({ kit }: CommandCall): Promise<Answer> {
  const [stats, agents] = await Promise.all([kit.fleet.readStats(), kit.fleet.listAgents()]);
  const counts = Object.entries(stats.byStatus).map(([status, count]) => `${escapeHtml(status)} ${count}`);
  const body = [
    "<b>The last 24 hours</b>",
    counts.length > 0 ? counts.join(" · ") : "no tasks",
    "",
    "<b>Agents</b>",
    ...byName(agents).map(agentLine),
  ];
  return { body: fromOwnHtml(body.join("\n")) };
}

function byName(agents: Agent[]): [string, Agent[]][] {
  return [...Map.groupBy(agents, ({ name }) => name)].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, 40);
}

function agentLine([name, instances]: [string, Agent[]]): string {
  const live = instances.filter(({ state, types }) => state === "live" && types.length > 0);
  const running = live.reduce((sum, agent) => sum + agent.running, 0);
  return live.length > 0 ? `🟢 ${escapeHtml(name)} ×${live.length}, ${running} running` : `⚪️ ${escapeHtml(name)}`;
}

type Finding = { id?: unknown; status?: unknown; severity?: unknown; title?: unknown; openedAt?: unknown };

export function answerFindings(call: CommandCall): Promise<Answer> {
  return answerList<Finding>(
    call,
    { agent: "posthog-watcher", path: "/findings", empty: "There are no findings." },
    (item) => {
      const icon = item.severity === "critical" ? "🔴" : item.severity === "warning" ? "🟠" : "🔵";
      return `${icon} ${quote(String(item.title ?? ""), 200)} (${quote(String(item.status ?? ""), 30)})`;
    },
  );
}

type RenderService = { name?: unknown; type?: unknown; suspended?: unknown; lastDeploy?: unknown };

export function answerDeploys(call: CommandCall): Promise<Answer> {
  const what = { agent: "renderctl", path: "/render/services", empty: "There are no services." };
  return answerList<RenderService>(call, what, ({ name, type, lastDeploy }) => {
    const { status } = (typeof lastDeploy === "object" && lastDeploy !== null ? lastDeploy : {}) as {
      status?: unknown;
    };
    return `• <b>${quote(String(name ?? ""), 100)}</b> ${quote(String(type ?? ""), 40)} ${quote(String(status ?? "no deploy"), 60)}`;
  });
}

type ListOptions = { agent: string; path: string; empty: string };
const mostLines = 20;

async function answerList<T>(
  { kit }: CommandCall,
  { agent, path, empty }: ListOptions,
  toLine: (item: T) => string,
): Promise<Answer> {
  const found = (await kit.fleet.listAgents()).find(({ name, state }) => name === agent && state === "live");
  if (!found) return { body: fromOwnHtml(`${agent} does not run in this fleet.`) };
  try {
    const { items } = await kit.fleet.listOf<T>(found.url, path);
    const lines = items.slice(0, mostLines).map(toLine);
    const more = items.length > mostLines ? [`… and ${items.length - mostLines} more`] : [];
    return { body: fromOwnHtml([...lines, ...more].join("\n") || empty) };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return { body: fromOwnHtml(`${agent} does not answer: ${quote(error.message)}`) };
  }
}

export async function answerLogs({ kit, text }: CommandCall): Promise<Answer> {
  if (!/^[0-9a-f]{32}$/i.test(text))
    return { body: fromOwnHtml("Say whose: <code>/logs</code> and the 32 digits of a trace.") };
  try {
    const { items } = await kit.fleet.listLogs({ traceId: text.toLowerCase(), limit: "25" });
    const lines = items
      .reverse()
      .map(({ at, level, service, message }) => `${at.slice(11, 23)} ${level} ${service}: ${message.slice(0, 200)}`);
    return {
      body: fromOwnHtml(lines.length > 0 ? `<pre>${quote(lines.join("\n"), 3_500)}</pre>` : "No line has that trace."),
    };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return { body: fromOwnHtml(`The logging service does not answer: ${quote(error.message)}`) };
  }
}
