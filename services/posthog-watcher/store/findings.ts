import { decodeCursor, encodeCursor } from "@signalbox/common/cursor.ts";
import {
  exec,
  joinSql,
  many,
  maybeOne,
  type Queryable,
  type Row,
  rawSql,
  type Sql,
  sql,
} from "@signalbox/common/sql.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import type { Cause, Evidence, Finding, FindingEvent, FindingEventKind, FindingQuery, Observed } from "../finding.ts";
import type { Severity } from "../monitor.ts";
import type { Direction } from "../track.ts";

const instant = (value: unknown) => (value as Date).toISOString();
const instantOrNull = (value: unknown) => (value === null ? null : instant(value));
const textOrNull = (value: unknown) => (value === null ? null : String(value));

function toFinding(row: Row): Finding {
  return {
    id: String(row.id),
    monitor: String(row.monitor),
    status: row.status as Finding["status"],
    severity: row.severity as Severity,
    title: String(row.title),
    openedAt: instant(row.opened_at),
    evidence: row.evidence as Evidence,
    probableCauses: row.probable_causes as Cause[],
    proposedTaskIds: row.proposed_task_ids as string[],
    version: Number(row.version),
    dedupeKey: String(row.dedupe_key),
    group: textOrNull(row.group_name),
    owner: textOrNull(row.owner),
    runbook: textOrNull(row.runbook),
    observed: row.observed as Observed,
    snoozedUntil: instantOrNull(row.snoozed_until),
    resolvedAt: instantOrNull(row.resolved_at),
    updatedAt: instant(row.updated_at),
    reopened: Number(row.reopened),
    note: textOrNull(row.note),
  };
}

const isOpen = rawSql("status in ('open', 'acknowledged', 'snoozed')");

export type Draft = {
  monitor: string;
  series: string | null;
  direction: Direction;
  dedupeKey: string;
  severity: Severity;
  title: string;
  /** ms, by the watcher's clock */
  at: number;
  evidence: Evidence;
  causes: Cause[];
  observed: Observed;
  group: string | null;
  owner: string | null;
  runbook: string | null;
};

/** A new finding; null while one of the same key is open. */
export function insertFinding(db: Queryable, draft: Draft): Promise<Finding | null> {
  const at = new Date(draft.at).toISOString();
  return maybeOne(
    db,
    toFinding,
    sql`
    insert into watch_findings (id, monitor, series, direction, dedupe_key, status, severity, title, opened_at, evidence,
      probable_causes, observed, group_name, owner, runbook, updated_at)
    values (${uuidv7()}, ${draft.monitor}, ${draft.series}, ${draft.direction}, ${draft.dedupeKey}, 'open', ${draft.severity},
      ${draft.title}, ${at}, ${JSON.stringify(draft.evidence)}::jsonb, ${JSON.stringify(draft.causes)}::jsonb,
      ${JSON.stringify(draft.observed)}::jsonb, ${draft.group}, ${draft.owner}, ${draft.runbook}, ${at})
    on conflict (dedupe_key) where status in ('open', 'acknowledged', 'snoozed') do nothing
    returning *`,
  );
}

/** The newest one of a key that was resolved after `since` is open again; null when there is none. */
export function reopenFinding(
  db: Queryable,
  {
    dedupeKey,
    since,
    at,
    severity,
    observed,
  }: { dedupeKey: string; since: number; at: number; severity: Severity; observed: Observed },
): Promise<Finding | null> {
  return maybeOne(
    db,
    toFinding,
    sql`
    update watch_findings set status = 'open', resolved_at = null, reopened = reopened + 1, version = version + 1,
           severity = ${severity}, observed = ${JSON.stringify(observed)}::jsonb, updated_at = ${new Date(at).toISOString()}
     where id = (select id from watch_findings
                  where dedupe_key = ${dedupeKey} and status = 'resolved' and resolved_at > ${new Date(since).toISOString()}
                    and not exists (select from watch_findings where dedupe_key = ${dedupeKey} and ${isOpen})
                  order by resolved_at desc limit 1)
    returning *`,
  );
}

/** The open one of a key, locked until the transaction ends. */
export function findOpen(db: Queryable, dedupeKey: string): Promise<Finding | null> {
  return maybeOne(
    db,
    toFinding,
    sql`select * from watch_findings where dedupe_key = ${dedupeKey} and ${isOpen} for update`,
  );
}

export function listDeclined(db: Queryable, dedupeKey: string, since: number): Promise<Finding[]> {
  return many(
    db,
    toFinding,
    sql`
    select * from watch_findings
     where dedupe_key = ${dedupeKey} and status = 'declined' and opened_at > ${new Date(since).toISOString()}
     order by opened_at desc limit 20`,
  );
}

export type FindingChange = Partial<{
  status: Finding["status"];
  severity: Severity;
  observed: Observed;
  snoozedUntil: number | null;
  resolvedAt: number | null;
  note: string | null;
  causes: Cause[];
  addTaskId: string;
}>;

/**
 * Changes what is named.
 *
 * @param ifVersion the version that was seen; null changes whatever there is
 * @returns null when it is another version by now
 */
export function changeFinding(
  db: Queryable,
  id: string,
  { change, at, ifVersion }: { change: FindingChange; at: number; ifVersion: number | null },
): Promise<Finding | null> {
  const { status, severity, observed, snoozedUntil, resolvedAt, note, causes, addTaskId } = change;
  const moment = (value: number | null) => (value === null ? null : new Date(value).toISOString());
  const parts: Sql[] = [
    ...(status === undefined ? [] : [sql`status = ${status}`]),
    ...(severity === undefined ? [] : [sql`severity = ${severity}`]),
    ...(observed === undefined ? [] : [sql`observed = ${JSON.stringify(observed)}::jsonb`]),
    ...(snoozedUntil === undefined ? [] : [sql`snoozed_until = ${moment(snoozedUntil)}`]),
    ...(resolvedAt === undefined ? [] : [sql`resolved_at = ${moment(resolvedAt)}`]),
    ...(note === undefined ? [] : [sql`note = ${note}`]),
    ...(causes === undefined ? [] : [sql`probable_causes = ${JSON.stringify(causes)}::jsonb`]),
    ...(addTaskId === undefined ? [] : [sql`proposed_task_ids = array_append(proposed_task_ids, ${addTaskId}::uuid)`]),
  ];
  const version = ifVersion === null ? rawSql("") : sql` and version = ${ifVersion}`;
  return maybeOne(
    db,
    toFinding,
    sql`
    update watch_findings set ${joinSql(parts, ", ")}, version = version + 1, updated_at = ${new Date(at).toISOString()}
     where id = ${id}${version} returning *`,
  );
}

/** What is seen of an open finding bucket by bucket is no change of it: the version stays. */
export function noteObserved(db: Queryable, id: string, observed: Observed): Promise<number> {
  return exec(db, sql`update watch_findings set observed = ${JSON.stringify(observed)}::jsonb where id = ${id}`);
}

export function insertEvent(
  db: Queryable,
  {
    findingId,
    kind,
    actor,
    data,
    at,
  }: { findingId: string; kind: FindingEventKind; actor: string; data: object; at: number },
): Promise<number> {
  return exec(
    db,
    sql`
    insert into watch_finding_events (id, finding_id, kind, actor, at, data)
    values (${uuidv7()}, ${findingId}, ${kind}, ${actor}, ${new Date(at).toISOString()}, ${JSON.stringify(data)}::jsonb)`,
  );
}

export function findFinding(db: Queryable, id: string): Promise<Finding | null> {
  return maybeOne(db, toFinding, sql`select * from watch_findings where id = ${id}`);
}

/** Oldest first. */
export function listEvents(db: Queryable, findingId: string): Promise<FindingEvent[]> {
  return many(
    db,
    (row) => ({
      id: String(row.id),
      kind: row.kind as FindingEventKind,
      actor: String(row.actor),
      at: instant(row.at),
      data: row.data as Record<string, unknown>,
    }),
    sql`select * from watch_finding_events where finding_id = ${findingId} order by id limit 1000`,
  );
}

/** @throws ApiError for a cursor that is none */
export async function listFindings(
  db: Queryable,
  query: FindingQuery,
): Promise<{ items: Finding[]; nextCursor: string | null }> {
  const limit = query.limit ?? 50;
  const conditions = [sql`true`];
  if (query.status !== undefined) conditions.push(sql`status = any(${query.status.split(",")}::text[])`);
  if (query.severity !== undefined) conditions.push(sql`severity = any(${query.severity.split(",")}::text[])`);
  if (query.monitor !== undefined) conditions.push(sql`monitor = ${query.monitor}`);
  if (query.cursor !== undefined) {
    const [at, id] = decodeCursor(query.cursor, ["instant", "uuid"]);
    conditions.push(sql`(opened_at, id) < (${at}::timestamptz, ${id}::uuid)`);
  }
  const rows = await many(
    db,
    toFinding,
    sql`
    select * from watch_findings where ${joinSql(conditions, " and ")} order by opened_at desc, id desc limit ${limit + 1}`,
  );
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, nextCursor: last ? encodeCursor([last.openedAt, last.id]) : null };
}

/** Snoozed ones whose time is over are open again. */
export function wakeSnoozed(db: Queryable, now: number): Promise<Finding[]> {
  const at = new Date(now).toISOString();
  return many(
    db,
    toFinding,
    sql`
    update watch_findings set status = 'open', snoozed_until = null, version = version + 1, updated_at = ${at}
     where status = 'snoozed' and snoozed_until <= ${at} returning *`,
  );
}

export type Precision = { monitor: string; told: number; declined: number; notInteresting: number };

/** How often each monitor was right of late, as people said. */
export function listPrecisions(db: Queryable, since: number): Promise<Precision[]> {
  return many(
    db,
    (row) => ({
      monitor: String(row.monitor),
      told: Number(row.told),
      declined: Number(row.declined),
      notInteresting: Number(row.not_interesting),
    }),
    sql`
    select monitor, count(*) as told, count(*) filter (where status = 'declined') as declined,
           count(*) filter (where status = 'declined' and note = 'not interesting') as not_interesting
      from watch_findings where opened_at > ${new Date(since).toISOString()} group by monitor`,
  );
}

/** For metrics and the digest. */
export function listBetween(db: Queryable, from: number, to: number): Promise<Finding[]> {
  return many(
    db,
    toFinding,
    sql`
    select * from watch_findings
     where (opened_at >= ${new Date(from).toISOString()} and opened_at < ${new Date(to).toISOString()})
        or (resolved_at >= ${new Date(from).toISOString()} and resolved_at < ${new Date(to).toISOString()}) or ${isOpen}
     order by opened_at desc limit 200`,
  );
}
