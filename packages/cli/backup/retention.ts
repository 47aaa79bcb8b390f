/* Which backups stay: all of two days, then one a day for two weeks, then one a week for eight. */

const dayMs = 86_400_000;
const weekMs = 7 * dayMs;
const pattern = /^signalbox-(\d{4}-\d{2}-\d{2})T(\d{2})(\d{2})(\d{2})Z\.(?:jsonl\.gz|dump)$/;
/** Of a backup that was killed: nobody will finish it. */
const partEnd = /\.\d+\.part$/;

export type BackupFormat = "logical" | "pg";

/** Its moment stands in its name, so that a copy elsewhere still says when it was made. */
export function toBackupName(at: number, format: BackupFormat): string {
  const stamp = new Date(at).toISOString().slice(0, 19).replaceAll(":", "");
  return `signalbox-${stamp}Z.${format === "pg" ? "dump" : "jsonl.gz"}`;
}

/** When a backup was made, in ms; null for any other file. */
export function timeOfBackup(name: string): number | null {
  const [, day, hour, minute, second] = pattern.exec(name) ?? [];
  return day === undefined ? null : Date.parse(`${day}T${hour}:${minute}:${second}Z`);
}

/** The names that may go. Of a day or a week the newest stays; the newest of all always does. Other files are left alone. */
export function planForgetting(names: readonly string[], now: number): string[] {
  const backups = names
    .flatMap((name) => {
      const at = timeOfBackup(name);
      return at === null ? [] : [{ name, at }];
    })
    .sort((a, b) => b.at - a.at);
  const taken = new Set<string>();
  const parts = names.filter((name) => {
    const at = partEnd.test(name) ? timeOfBackup(name.replace(partEnd, "")) : null;
    return at !== null && now - at > dayMs;
  });
  const old = backups.slice(1).flatMap(({ name, at }) => {
    const period = periodOf(at, now);
    if (period === "recent") return [];
    if (period === null || taken.has(period)) return [name];
    taken.add(period);
    return [];
  });
  return [...old, ...parts];
}

function periodOf(at: number, now: number): string | null {
  const age = now - at;
  if (age < 2 * dayMs) return "recent";
  if (age < 16 * dayMs) return `day ${Math.floor(at / dayMs)}`;
  return age < 10 * weekMs ? `week ${Math.floor((at + 3 * dayMs) / weekMs)}` : null;
}
