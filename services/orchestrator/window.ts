const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A window such as `30s`, `15m`, `1h` or `7d` in ms; null when it is none, or longer than a year. */
export function parseWindow(text: string): number | null {
  const found = /^([1-9][0-9]{0,5})([smhd])$/.exec(text);
  if (!found) return null;
  const ms = Number(found[1]) * units[found[2] as keyof typeof units];
  return ms <= 366 * units.d ? ms : null;
}

/** The width of about sixty buckets over a window: a round number of seconds, minutes, hours or days. */
export function bucketWidthMs(windowMs: number): number {
  const widths = [1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 21_600, 86_400, 604_800].map((seconds) => seconds * 1_000);
  return widths.find((width) => windowMs / width <= 60) ?? 604_800_000;
}
