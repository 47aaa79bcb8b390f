/** `behind` is live but not at now: the rows on screen are older than the page would like to say they are. */
export type Phase = "connecting" | "live" | "behind" | "waiting" | "offline" | "unauthorised";

export type StreamEvent =
  /** a connection is being opened */
  | "open"
  | "hello"
  | "fell_behind"
  | "caught_up"
  | "lost"
  /** lost, and the browser says that there is no network */
  | "network_lost"
  | "denied";

/** Total on purpose: a new phase or event does not compile until every cell is decided. */
const table: Record<Phase, Record<StreamEvent, Phase>> = {
  connecting: {
    open: "connecting",
    hello: "live",
    fell_behind: "connecting",
    caught_up: "connecting",
    lost: "waiting",
    network_lost: "offline",
    denied: "unauthorised",
  },
  live: {
    open: "connecting",
    hello: "live",
    fell_behind: "behind",
    caught_up: "live",
    lost: "waiting",
    network_lost: "offline",
    denied: "unauthorised",
  },
  behind: {
    open: "connecting",
    hello: "live",
    fell_behind: "behind",
    caught_up: "live",
    lost: "waiting",
    network_lost: "offline",
    denied: "unauthorised",
  },
  waiting: {
    open: "connecting",
    hello: "live",
    fell_behind: "waiting",
    caught_up: "waiting",
    lost: "waiting",
    network_lost: "offline",
    denied: "unauthorised",
  },
  offline: {
    open: "connecting",
    hello: "live",
    fell_behind: "offline",
    caught_up: "offline",
    lost: "offline",
    network_lost: "offline",
    denied: "unauthorised",
  },
  // Only a new sign-in leaves this phase, by `open`: retrying a refused password would look like an attack.
  unauthorised: {
    open: "connecting",
    hello: "unauthorised",
    fell_behind: "unauthorised",
    caught_up: "unauthorised",
    lost: "unauthorised",
    network_lost: "unauthorised",
    denied: "unauthorised",
  },
};

export function nextPhase(phase: Phase, event: StreamEvent): Phase {
  return table[phase][event];
}

export function isUp(phase: Phase): boolean {
  return phase === "live" || phase === "behind";
}

/**
 * Delay before the next connection in ms: exponential from 500 to 30 000, full jitter, so that a restarted service is not met by
 * every open tab at once.
 *
 * @param failures connections that failed in a row, from 1
 * @param random a draw from [0, 1)
 * @see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015
 */
export function reconnectDelayMs(failures: number, random: number): number {
  return Math.round(random * Math.min(30_000, 500 * 2 ** Math.max(0, failures - 1)));
}
