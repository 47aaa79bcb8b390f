import type { Finding, Measure, MeasureOptions, Outcome } from "../measure.ts";
import { openArena } from "../queue/arena.ts";
import type { Part } from "../queue/part.ts";
import { backlog } from "../queue/parts/backlog.ts";
import { drain, drainHttp } from "../queue/parts/drain.ts";
import { enqueue } from "../queue/parts/enqueue.ts";
import { fanOut } from "../queue/parts/fan-out.ts";
import { history } from "../queue/parts/history.ts";
import { http } from "../queue/parts/http.ts";
import { idle } from "../queue/parts/idle.ts";
import { live } from "../queue/parts/live.ts";
import { rest } from "../queue/parts/rest.ts";
import { readVersions, sides } from "../queue/rivals.ts";

/** In the order in which they are taken. */
const parts: readonly Part[] = [enqueue, drain, drainHttp, rest, history, backlog, live, fanOut, http, idle];

const about = `
All sides share one PostgreSQL server on the disk, with a fleet's settings; each has a database and a process of its own, and
they take turns, another one first in each round. Each keeps a row of every task and a row of each of its events.

| side | how it is set for throughput |
| ---- | ---------------------------- |
${sides.map(({ name, setup }) => `| ${name} | ${setup} |`).join("\n")}

${parts.map((part) => `**${part.name}**: ${part.about.trim()}`).join("\n\n")}
`;

export const queue: Measure = {
  name: "queue",
  summary: "The task engine beside graphile-worker, pg-boss and DBOS, its history, its live stream, its HTTP side",
  parts: parts.map(({ name }) => name),
  about,
  run: measureQueue,
};

async function measureQueue({ rounds, tasks, only, signal, say }: MeasureOptions): Promise<Outcome> {
  await using arena = await openArena();
  const findings: Finding[] = [];
  for (const part of parts) {
    if (only !== null && !only.includes(part.name)) continue;
    signal.throwIfAborted();
    const found = await part.run({ arena, rounds, tasks, signal, say });
    findings.push(...found.map((finding) => ({ ...finding, part: part.name })));
  }
  return { findings, versions: { ...(await readVersions()), ...arena.facts } };
}
