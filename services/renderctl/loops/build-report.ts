import type { BuildFailure } from "../build-log.ts";
import type { RenderApi } from "../clients/render.ts";
import type { Deploy, LogPage } from "../render-shapes.ts";

/*
 * What Render says of one failed build: its log and the event that ended it. The window is the deploy's own, with a little
 * before and after, because Render's default is the last hour and its logs arrive late.
 */

const beforeMs = 5_000;
const afterMs = 30_000;
const pageLines = 100;
/** A log's limit is thirty calls a minute, for the whole account. */
const pagesAtMost = 12;

export async function readBuild(
  api: RenderApi,
  service: { id: string; ownerId: string },
  deploy: Deploy,
): Promise<BuildFailure> {
  const from = Date.parse(deploy.createdAt ?? "") - beforeMs;
  const to = Date.parse(deploy.finishedAt ?? deploy.updatedAt ?? "") + afterMs;
  const window = { startTime: toText(from), endTime: toText(to) };
  const events = await api.deploys.listEvents(service.id, window);
  const ended = events.find(({ type, details }) => type === "build_ended" && failureOf(details) !== null);
  return {
    status: deploy.status,
    lines: await readLines(api, service, window),
    failure: failureOf(ended?.details),
    hasNoMinutes: events.some(({ type }) => type === "pipeline_minutes_exhausted"),
  };
}

function toText(ms: number): string {
  return new Date(Number.isFinite(ms) ? ms : 0).toISOString();
}

function failureOf(details: Record<string, unknown> | null | undefined): Record<string, unknown> | null {
  const { reason } = (details ?? {}) as { reason?: { failure?: Record<string, unknown> } };
  return reason?.failure ?? null;
}

async function readLines(
  api: RenderApi,
  { id, ownerId }: { id: string; ownerId: string },
  window: { startTime: string; endTime: string },
): Promise<string[]> {
  const lines: string[] = [];
  let range = window;
  for (let page = 0; page < pagesAtMost; page++) {
    const query = { ownerId, resource: id, type: "build" as const, direction: "forward" as const, limit: pageLines };
    const found: LogPage = await api.deploys.readLogs({ ...query, ...range });
    lines.push(...found.logs.map(({ message }) => message));
    if (!found.hasMore || !found.nextStartTime || !found.nextEndTime) break;
    range = { startTime: found.nextStartTime, endTime: found.nextEndTime };
  }
  return lines;
}
