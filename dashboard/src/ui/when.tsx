import { nowMs, runningNowMs } from "../app/clock.ts";
import { settings } from "../app/settings.ts";
import { formatAge, formatClock, formatClockMs, formatDateTime, formatDuration, formatMoment } from "../domain/time.ts";

type Form = "clock" | "clock-ms" | "date-time" | "moment";

function write(at: string, form: Form): string {
  const zone = settings.zone.value;
  if (form === "clock") return formatClock(at, zone);
  if (form === "clock-ms") return formatClockMs(at, zone);
  return form === "moment" ? formatMoment(at, nowMs.value, zone) : formatDateTime(at, zone);
}

/** An instant in the chosen zone, with UTC on hover. */
export function When({ at, form = "moment" }: { at: string; form?: Form }) {
  return (
    <time dateTime={at} title={`${at.replace("T", " ").replace("Z", "")} UTC`}>
      {write(at, form)}
    </time>
  );
}

/** How long ago, counted by the server's clock; the instant is on hover. */
export function Age({ at }: { at: string }) {
  const title = `${formatDateTime(at, settings.zone.value)} (${at.replace("T", " ").replace("Z", "")} UTC)`;
  return (
    <time dateTime={at} title={title}>
      {formatAge(nowMs.value - Date.parse(at))}
    </time>
  );
}

/** From one instant to another, or to now while there is no end. */
export function Elapsed({ from, to }: { from: string; to: string | null }) {
  const endMs = to === null ? runningNowMs.value : Date.parse(to);
  return <>{formatDuration(endMs - Date.parse(from))}</>;
}
