import pg from "pg";
import { Pool as HttpPool } from "undici";
import { type Fleet, makeHome, removeHome, serviceOf, startFleet } from "../fleet-process.ts";
import type { Bed, Part } from "../logs/part.ts";
import { ingest } from "../logs/parts/ingest.ts";
import { overload } from "../logs/parts/overload.ts";
import { query } from "../logs/parts/query.ts";
import { single } from "../logs/parts/single.ts";
import { stream } from "../logs/parts/stream.ts";
import { trace } from "../logs/parts/trace.ts";
import type { Measure, MeasureOptions, Outcome } from "../measure.ts";

/** In the order in which they are taken: the memory of a service is the more honest the more it has done. */
const parts: readonly Part[] = [single, ingest, stream, overload, trace, query];

const about = `
A whole fleet as its user starts it, on its own embedded PostgreSQL on the disk; nothing else is asked of it meanwhile. The client is this
process, on the same machine.

${parts.map((part) => `**${part.name}**: ${part.about.trim()}`).join("\n\n")}
`;

export const logs: Measure = {
  name: "logs",
  summary:
    "The log: how fast records come in, are seen and are found, beside the bare database, and what a flood costs",
  parts: parts.map(({ name }) => name),
  about,
  async run(options) {
    const home = await makeHome();
    try {
      const fleet = await startFleet({ home, profileDir: options.profileDir, signal: options.signal });
      try {
        return await measureLogs(fleet, options);
      } finally {
        await fleet.stop();
      }
    } finally {
      await removeHome(home);
    }
  },
};

async function measureLogs(fleet: Fleet, { rounds, only, signal, say }: MeasureOptions): Promise<Outcome> {
  const { url, pid } = serviceOf(fleet, "logging");
  const http = new HttpPool(url, { connections: 256, pipelining: 1 });
  const bed: Bed = { fleet, logging: { url, pid, http }, databaseUrl: fleet.databaseUrl };
  const findings: Outcome["findings"] = [];
  try {
    for (const part of parts) {
      if (only !== null && !only.includes(part.name)) continue;
      signal.throwIfAborted();
      const found = await part.run({ bed, rounds, signal, say });
      findings.push(...found.map((finding) => ({ ...finding, part: part.name })));
    }
    return { findings, versions: { PostgreSQL: await readVersion(fleet.databaseUrl) } };
  } finally {
    await http.close();
  }
}

async function readVersion(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>("show server_version");
    return rows[0]?.server_version ?? "unknown";
  } finally {
    await client.end();
  }
}
