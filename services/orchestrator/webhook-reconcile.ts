/** One attempt of GitHub to deliver something, as its list tells it. */
export type HookAttempt = { id: string; guid: string; atMs: number; isOk: boolean };

/** A hook whose deliveries are looked after: of a repository (`owner/name`) or of an organisation. */
export type Hook = { owner: string; id: string };

const form = /^([A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)?):(\d{1,19})$/;

/** @param text `owner/name:id` or `organisation:id`; null: neither */
export function parseHook(text: string): Hook | null {
  const [, owner, id] = form.exec(text) ?? [];
  return owner === undefined || id === undefined ? null : { owner, id };
}

/** GitHub redelivers no longer than this. */
export const redeliverableMs = 3 * 86_400_000;

const minuteMs = 60_000;
const maxPauseMs = 60 * minuteMs;
const maxAttempts = 12;

/**
 * Deliveries that GitHub says never arrived and that it may try again: the newest attempt of each, oldest delivery first. How
 * often and how long ago it was tried is read from its own list, so nothing has to be remembered here: the pause doubles from a
 * minute to an hour, and twelve attempts are enough.
 */
export function planRedeliveries(attempts: readonly HookAttempt[], nowMs: number): HookAttempt[] {
  const byGuid = [...Map.groupBy(attempts, ({ guid }) => guid).values()];
  const wanted = byGuid.flatMap((tries) => {
    const [newest] = tries.toSorted((a, b) => b.atMs - a.atMs);
    if (!newest || tries.some(({ isOk }) => isOk) || tries.length >= maxAttempts) return [];
    const pauseMs = Math.min(maxPauseMs, minuteMs * 2 ** (tries.length - 1));
    const ageMs = nowMs - newest.atMs;
    return ageMs >= pauseMs && ageMs < redeliverableMs
      ? [{ newest, firstMs: Math.min(...tries.map(({ atMs }) => atMs)) }]
      : [];
  });
  return wanted.sort((a, b) => a.firstMs - b.firstMs).map(({ newest }) => newest);
}
