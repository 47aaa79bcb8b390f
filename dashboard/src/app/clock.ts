import { signal } from "@preact/signals";

/** Server clock minus this machine's: ages are counted by the clock that wrote the instants. */
export const clockOffsetMs = signal(0);

/** The server's clock, as far as this page knows it, moving once a second while the tab is shown. */
export const nowMs = signal(Date.now());

/** The same, five times a second, for what is seen to run. */
export const runningNowMs = signal(Date.now());

export function serverNow(): number {
  return Date.now() + clockOffsetMs.peek();
}

function tick(): void {
  if (document.visibilityState === "visible") nowMs.value = serverNow();
}

function tickRunning(): void {
  if (document.visibilityState === "visible") runningNowMs.value = serverNow();
}

export function startClock(): void {
  setInterval(tick, 1_000);
  setInterval(tickRunning, 200);
  document.addEventListener("visibilitychange", tick);
}
