import { setTimeout as rest } from "node:timers/promises";
import { parseArgs } from "node:util";
import { buildLog } from "@signalbox/common/log.ts";

/*
 * A service that does nothing but log: so many numbered records, at a pace that its memory and its spool can hold. It ends when the
 * last of them has left it, and tells its parent in lines of JSON how far it is.
 */

/** What a sender says of itself; `left` is what waits in memory, `spooled` what waits on disk. */
export type Told = { written: number; left: number; spooled: number; spooledMost: number; dropped: number };

const burstRows = 100;
const burstMs = 4;
/** As much may wait, in memory and on disk together: what is written goes on while what was written comes back. */
const waitingMost = 8_000;
const tellMs = 20;

const { values } = parseArgs({
  options: {
    service: { type: "string", default: "" },
    records: { type: "string", default: "0" },
    url: { type: "string", default: "" },
    key: { type: "string", default: "" },
    spool: { type: "string", default: "" },
  },
});
const records = Number(values.records);
const { log, close, ...counts } = buildLog({
  service: values.service,
  level: "info",
  format: "json",
  print: () => undefined,
  delivery: { url: values.url, internalKey: values.key, spoolDir: values.spool },
  // As in a fleet, but not as patient: what is looked at begins when the service has been away for that long.
  pace: { patienceMs: 300, retryMaxMs: 500 },
});

let written = 0;
let spooledMost = 0;

function tell(): void {
  spooledMost = Math.max(spooledMost, counts.spooled());
  const told: Told = {
    written,
    left: counts.queued(),
    spooled: counts.spooled(),
    spooledMost,
    dropped: counts.dropped(),
  };
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

const telling = setInterval(tell, tellMs);
while (written < records) {
  for (let n = 0; n < burstRows && written < records; n++, written++) {
    log.info({ n: written, taskType: "echo", outcome: "completed" }, `record ${written} of a sender that goes on`);
  }
  do await rest(burstMs);
  while (counts.queued() + counts.spooled() > waitingMost);
}
while (counts.queued() + counts.spooled() > 0) await rest(tellMs);
await close();
clearInterval(telling);
tell();
