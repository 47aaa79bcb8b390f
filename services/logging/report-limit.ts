/**
 * A bucket that fills evenly up to what may come in a minute: how many records a browser's page may still report. A page that is
 * broken reports in a loop, in every open tab.
 */
export type ReportLimit = { perMinute: number; left: number; atMs: number };

export function newReportLimit(perMinute: number, nowMs: number): ReportLimit {
  return { perMinute, left: perMinute, atMs: nowMs };
}

/** Takes one; false when there is none left. */
export function takeReport(limit: ReportLimit, nowMs: number): boolean {
  const grown = (Math.max(0, nowMs - limit.atMs) / 60_000) * limit.perMinute;
  limit.left = Math.min(limit.perMinute, limit.left + grown);
  limit.atMs = nowMs;
  if (limit.left < 1) return false;
  limit.left--;
  return true;
}
