import { exec, many, maybeOne, one, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { Deploy } from "../render-shapes.ts";

/** What a task is about to have made by Render, or has had made. */
export type Intent = {
  taskId: string;
  round: number;
  seenDeployId: string | null;
  result: Record<string, unknown> | null;
  /** false: an earlier attempt of the task has begun it */
  isNew: boolean;
};

/** A deploy that was asked for here. */
export type AskedDeploy = { deployId: string; taskId: string | null; traceId: string | null };

export type DeployStore = ReturnType<typeof buildDeployStore>;

function toIntent(row: Row): Intent {
  return {
    taskId: row.task_id as string,
    round: row.round as number,
    seenDeployId: row.seen_deploy_id as string | null,
    result: row.result as Record<string, unknown> | null,
    isNew: row.is_new === true,
  };
}

function toAsked(row: Row): AskedDeploy {
  return {
    deployId: row.deploy_id as string,
    taskId: row.task_id as string | null,
    traceId: row.trace_id as string | null,
  };
}

export function buildDeployStore(db: Queryable) {
  return {
    ensureIntent: (intent: NewIntent) => ensureIntent(db, intent),
    fulfilIntent: (id: { taskId: string; round: number }, result: Record<string, unknown>) =>
      fulfilIntent(db, id, result),
    findIntent: (taskId: string, round: number) => findIntent(db, taskId, round),
    keepDeploy: (deploy: Deploy, about: DeployContext) => keepDeploy(db, deploy, about),
    listAsked: (deployIds: string[]) => listAsked(db, deployIds),
    forgetIntents: (olderThanDays: number) => forgetIntents(db, olderThanDays),
    ping: () => exec(db, sql`select 1`),
  };
}

export type NewIntent = { taskId: string; round: number; serviceId: string | null; seenDeployId: string | null };

/** Written before Render is asked. Of two attempts the second gets what the first has written. */
function ensureIntent(db: Queryable, { taskId, round, serviceId, seenDeployId }: NewIntent): Promise<Intent> {
  return one(
    db,
    toIntent,
    sql`
    insert into render_intents (task_id, round, service_id, seen_deploy_id)
    values (${taskId}, ${round}, ${serviceId}, ${seenDeployId})
    on conflict (task_id, round) do update set task_id = excluded.task_id
    -- A row that this statement has inserted has no later version of itself.
    returning *, xmax = 0 as is_new`,
  );
}

async function fulfilIntent(
  db: Queryable,
  { taskId, round }: { taskId: string; round: number },
  result: Record<string, unknown>,
): Promise<void> {
  await exec(
    db,
    sql`
    update render_intents set result = ${JSON.stringify(result)}, done_at = now()
     where task_id = ${taskId} and round = ${round} and result is null`,
  );
}

/** Null: the task has not come so far. */
function findIntent(db: Queryable, taskId: string, round: number): Promise<Intent | null> {
  return maybeOne(
    db,
    toIntent,
    sql`select *, false as is_new from render_intents where task_id = ${taskId} and round = ${round}`,
  );
}

export type DeployContext = { serviceId: string; taskId: string | null; traceId: string | null };

/** What is known of a deploy that was asked for here; later news replaces it. */
async function keepDeploy(db: Queryable, deploy: Deploy, { serviceId, taskId, traceId }: DeployContext): Promise<void> {
  const { id, status, trigger, commit, createdAt, finishedAt } = deploy;
  await exec(
    db,
    sql`
    insert into render_deploys
      (deploy_id, service_id, task_id, trace_id, status, trigger, commit_id, commit_message, created_at, finished_at)
    values (${id}, ${serviceId}, ${taskId}, ${traceId}, ${status}, ${trigger ?? null}, ${commit?.id ?? null},
            ${commit?.message ?? null}, coalesce(${createdAt ?? null}::timestamptz, now()), ${finishedAt ?? null})
    on conflict (deploy_id) do update
       set status = excluded.status, updated_at = now(), finished_at = excluded.finished_at,
           commit_id = coalesce(excluded.commit_id, render_deploys.commit_id),
           commit_message = coalesce(excluded.commit_message, render_deploys.commit_message)`,
  );
}

/** Those of the deploys that were asked for here. */
function listAsked(db: Queryable, deployIds: string[]): Promise<AskedDeploy[]> {
  return many(
    db,
    toAsked,
    sql`select deploy_id, task_id, trace_id from render_deploys where deploy_id = any(${deployIds})`,
  );
}

/** Intents serve while their task may still be retried; how many were deleted. */
function forgetIntents(db: Queryable, olderThanDays: number): Promise<number> {
  return exec(db, sql`delete from render_intents where begun_at < now() - make_interval(days => ${olderThanDays})`);
}
