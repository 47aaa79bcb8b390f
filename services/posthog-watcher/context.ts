import type { Github } from "./clients/github.ts";
import type { Flag } from "./clients/posthog.ts";
import type { Forecast, ForecastWish } from "./loops/forecast.ts";
import type { Kit } from "./loops/kit.ts";
import type { MonitorBook } from "./loops/monitor-book.ts";
import type { RunOutcome } from "./loops/run.ts";
import type { WakeupWish } from "./loops/wakeups.ts";
import type { WatchStatus } from "./loops/watch.ts";
import type { MonitorDefinition } from "./monitor.ts";
import type { Problem } from "./monitor-check.ts";

/** What a route may use. */
export type Context = {
  kit: Kit;
  book: MonitorBook;
  /** null when no repository was given */
  github: Github | null;
  webhook: { secret: string | null; signingSecret: string | null };
  /** wakes the leader, wherever it is */
  ring(): void;
  isLeading(): boolean;
  status(): WatchStatus;
  checkDefinition(name: string, definition: MonitorDefinition): Problem[];
  forecast(wish: ForecastWish, signal: AbortSignal): Promise<Forecast>;
  runNow(only: string | null, key: string, signal: AbortSignal): Promise<RunOutcome>;
  runWakeup(wish: WakeupWish, signal: AbortSignal): Promise<{ text: string }>;
  /** Why a task that runs must not change anything; null when it may. */
  findRefusal(task: { taskId: string; type: string; payload: unknown }): Promise<string | null>;
  setFlag(wish: SetFlag): Promise<{ before: Flag; after: Flag }>;
};

export type SetFlag = { flag: string; active: boolean; expected?: { active?: boolean; version?: number } };
