import type { LogInput } from "@signalbox/common/contracts/log.ts";

export type ErrorReports = {
  /** Never throws: a report that fails is no reason for another one. */
  report: (error: unknown) => void;
};

export type ReportOptions = {
  /** Posts the record as whoever is signed in; called only while somebody is. */
  send: (record: LogInput) => Promise<unknown>;
  isSignedIn: () => boolean;
  nowMs: () => number;
  /** The page's path, without its query: that may hold what somebody looks for. */
  page: () => string;
};

const MINUTE_MS = 60_000;
const MOST_A_MINUTE = 5;
const SAME_AGAIN_MS = 600_000;
const KNOWN_MOST = 100;
const LENGTH_MAX = 4_000;

type Told = { message: string; stack: string | null };

function toTold(error: unknown): Told {
  if (error instanceof Error) {
    return {
      message: `${error.name}: ${error.message}`.slice(0, LENGTH_MAX),
      stack: error.stack?.slice(0, LENGTH_MAX) ?? null,
    };
  }
  return { message: String(error).slice(0, LENGTH_MAX), stack: null };
}

/** Tells the logging service what went wrong in this page: each error once in ten minutes, few in a minute, the rest counted. */
export function buildErrorReports({ send, isSignedIn, nowMs, page }: ReportOptions): ErrorReports {
  const toldAt = new Map<string, number>();
  let minuteFrom = Number.NEGATIVE_INFINITY;
  let inMinute = 0;
  let unsaid = 0;

  function mayTell(key: string, now: number): boolean {
    if (now - minuteFrom >= MINUTE_MS) {
      minuteFrom = now;
      inMinute = 0;
    }
    if (inMinute >= MOST_A_MINUTE || now - (toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < SAME_AGAIN_MS) return false;
    if (toldAt.size >= KNOWN_MOST) toldAt.clear();
    toldAt.set(key, now);
    inMinute++;
    return true;
  }

  return {
    report(error) {
      const { message, stack } = toTold(error);
      if (!isSignedIn()) return;
      if (!mayTell(stack ?? message, nowMs())) {
        unsaid++;
        return;
      }
      const data = { page: page(), ...(stack !== null && { stack }), ...(unsaid > 0 && { unsaid }) };
      unsaid = 0;
      void send({ level: "error", service: "dashboard", message, data }).catch(() => undefined);
    },
  };
}

/** Hears of every error that nothing else in the page has caught. */
export function followErrors(reports: ErrorReports): void {
  addEventListener("error", (event) => reports.report(event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => reports.report(event.reason));
}
