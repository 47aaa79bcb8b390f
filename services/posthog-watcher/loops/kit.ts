import type { Log } from "@signalbox/common/log.ts";
import type { Fleet } from "../clients/fleet.ts";
import type { Posthog } from "../clients/posthog.ts";
import type { Monitor } from "../monitor.ts";
import type { Pins } from "../monitor-check.ts";
import type { Integration, Mode } from "../proposals.ts";
import type { Store } from "../store.ts";
import type { SeriesBook } from "./series-book.ts";

/** What every loop works with. */
export type Kit = {
  store: Store;
  posthog: Posthog;
  fleet: Fleet;
  book: SeriesBook;
  log: Log;
  /** ms; the time that is watched, which tests turn */
  clock(): number;
  pins: Pins;
  timezone: string;
  holidays: ReadonlySet<string>;
  mode: Mode;
  allow: readonly string[];
  mayAct: readonly Integration[];
  executePerDay: number;
  checkMs: number;
  /** address of the project's pages, for people */
  projectUrl: string;
  /** every monitor that is in force, off or on, with where it comes from */
  monitors(): Promise<Monitor[]>;
  /** wakes the loop that sends what is intended */
  intended(): void;
};
