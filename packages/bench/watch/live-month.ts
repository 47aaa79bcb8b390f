import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import {
  hourMs,
  type MonthPlan,
  monthEndsAt,
  monthStartsAt,
  planMonth,
  type SeriesPlan,
} from "@signalbox/testing/posthog-stand-in/month.ts";
import { type PosthogStandIn, startPosthogStandIn } from "@signalbox/testing/posthog-stand-in/server.ts";
import { eventNames, generateTraffic } from "@signalbox/testing/posthog-stand-in/traffic.ts";
import { startFleetDouble } from "./fleet-double.ts";
import { type Judgement, judgeMonth, type SeenFinding } from "./judge-month.ts";
import { startWatcherProcess, type WatcherProcess } from "./watcher-process.ts";

export type LivedMonth = { judgement: Judgement; messages: number; requestsAnHour: number; seconds: number };

/** An hour's bucket is over, has settled, and a little more. */
const lookAfterMs = 16 * 60_000;

/** Lets the watcher live through the month of a seed, an hour at a time, and judges what it said. */
export async function liveMonth(seed: number, clusterUrl: string, signal: AbortSignal): Promise<LivedMonth> {
  const startedAt = performance.now();
  const plan = planMonth(seed);
  const clock = { at: monthStartsAt + lookAfterMs };
  await using database = await freshDatabase(clusterUrl);
  await using posthog = await startPosthogStandIn({ now: () => clock.at, hasLimits: false, asyncPolls: 0 });
  await using fleet = await startFleetDouble(plan, () => clock.at);
  posthog.control.addEvents([...generateTraffic(plan)]);
  for (const { name } of plan.flags)
    posthog.control.addFlag({ key: name, active: false, updated_at: new Date(monthStartsAt).toISOString() });
  await using watcher = await startWatcherProcess({
    nowMs: clock.at,
    monitors: Object.fromEntries(plan.series.map((series) => [series.name, toDefinition(series)])),
    env: {
      ...{ DATABASE_URL: database.url, ORCHESTRATOR_URL: fleet.url, POSTHOG_HOST: posthog.url },
      ...{ POSTHOG_PROJECT_ID: String(posthog.projectId), POSTHOG_API_KEY: posthog.apiKey },
      POSTHOG_HOLIDAYS: plan.holidays.join(","),
    },
  });
  await look(watcher);
  const before = posthog.state.requests.length;
  for (clock.at += hourMs; clock.at < monthEndsAt + lookAfterMs + 3 * hourMs; clock.at += hourMs) {
    signal.throwIfAborted();
    await liveHour({ watcher, posthog, plan }, clock.at);
  }
  const hours = (monthEndsAt - monthStartsAt) / hourMs;
  return {
    judgement: judgeMonth(plan, await readFindings(watcher)),
    messages: fleet.made.filter((type) => type === "telegram.notify").length,
    requestsAnHour: (posthog.state.requests.length - before) / hours,
    seconds: (performance.now() - startedAt) / 1_000,
  };
}

/** What its monitor says: nothing but which series it is. */
function toDefinition(series: SeriesPlan) {
  const [from, to] = eventNames(series);
  if (series.kind === "funnel") return { funnel: { from, to } };
  return series.kind === "errors" ? { errors: {}, where: { service: series.name } } : { event: from };
}

type Month = { watcher: WatcherProcess; posthog: PosthogStandIn; plan: MonthPlan };

async function liveHour({ watcher, posthog, plan }: Month, now: number): Promise<void> {
  for (const { name } of plan.flags.filter(({ at }) => at > now - hourMs && at <= now)) {
    const flag = posthog.state.flags.find(({ key }) => key === name);
    const at = plan.flags.find((one) => one.name === name)?.at ?? now;
    if (flag) Object.assign(flag, { active: true, version: flag.version + 1, updated_at: new Date(at).toISOString() });
  }
  const failure = plan.apiFailures.find(({ from, to }) => now >= from && now < to);
  if (failure) posthog.control.fail({ ...failure, times: 1_000, path: "/query/", headers: { "retry-after": "60" } });
  await watcher.turnTo(now);
  await look(watcher);
  posthog.state.faults.length = 0;
}

type Run = { runId: string; state: string };

async function look(watcher: WatcherProcess): Promise<void> {
  const asked = await watcher.ask<Run>("/watch/run", { method: "POST", body: {}, prefer: "wait=60" });
  const isOver = ({ state }: Run) => state !== "queued";
  // On a busy machine the first look, at eight weeks of forty series, may take longer than one call waits.
  const run = await eventually(
    async () => (isOver(asked) ? asked : [await watcher.ask<Run>(`/watch/runs/${asked.runId}`)].find(isOver)),
    { timeoutMs: 120_000, what: "a run of the watcher" },
  );
  if (run.state !== "done") throw new Error(`a run of the watcher is ${run.state}`);
}

async function readFindings(watcher: WatcherProcess): Promise<SeenFinding[]> {
  const found: SeenFinding[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { items: SeenFinding[]; nextCursor: string | null } = await watcher.ask(`/findings?limit=200${query}`);
    found.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}
