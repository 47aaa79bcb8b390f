import type { Handler } from "./handler.ts";
import { filterBy, toPage } from "./pages.ts";
import { getById, type Json, type LogRow, nowMs, Refusal, type Service, toTime } from "./state.ts";

const hourMs = 3_600_000;

/** The newest or, with `direction=forward`, the oldest of the window; the window is the last hour unless it is given. */
const listLogs: Handler = ({ state, query }) => {
  const limit = Number(query.get("limit") ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new Refusal(400, "limit must be between 1 and 100");
  const end = toMs(query.get("endTime")) ?? nowMs(state);
  const start = toMs(query.get("startTime")) ?? end - hourMs;
  const isForward = query.get("direction") === "forward";
  const services = query.getAll("resource").map((id) => getById(state.services, id, "resource"));
  const types = query.getAll("type");
  const found = services
    .flatMap((service) => service.logs.map((row) => ({ row, service })))
    .filter(({ row }) => row.atMs >= start && row.atMs <= end && (types.length === 0 || types.includes(row.type)))
    .sort((a, b) => (isForward ? a.row.atMs - b.row.atMs : b.row.atMs - a.row.atMs));
  const page = found.slice(0, limit);
  const edge = page.at(-1)?.row.atMs ?? (isForward ? end : start);
  return {
    status: 200,
    body: {
      hasMore: found.length > limit,
      nextStartTime: toTime(isForward ? edge + 1 : start),
      nextEndTime: toTime(isForward ? end : edge - 1),
      logs: page.map(toLog),
    },
  };
};

function toLog({ row, service }: { row: LogRow; service: Service }): Json {
  return {
    id: row.id,
    timestamp: toTime(row.atMs),
    message: row.message,
    labels: [
      { name: "resource", value: service.id },
      { name: "type", value: row.type },
      { name: "level", value: "info" },
    ],
  };
}

function toMs(text: string | null): number | null {
  if (text === null) return null;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new Refusal(400, "invalid time");
  return ms;
}

const listEvents: Handler = ({ state, params, query }) => {
  const { events } = getById(state.services, params.serviceId, "service");
  const start = toMs(query.get("startTime")) ?? 0;
  const end = toMs(query.get("endTime")) ?? Number.POSITIVE_INFINITY;
  const within = events.filter(({ timestamp }) => {
    const at = Date.parse(String(timestamp));
    return at >= start && at <= end;
  });
  const found = filterBy(within as (Json & { id: string })[], query, { type: ({ type }) => type });
  // The one list whose items carry no cursor.
  return { status: 200, body: toPage(found, query, "event", (event) => event).map(({ event }) => ({ event })) };
};

export const logHandlers: Record<string, Handler> = { "list-logs": listLogs, "list-events": listEvents };
