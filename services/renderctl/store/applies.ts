import { exec, many, maybeOne, type Pool, type Queryable, type Row, sql, transaction } from "@signalbox/common/sql.ts";
import { sqlState, sqlStates } from "@signalbox/common/sql-state.ts";
import type { Apply, ApplyState, LedgerStep, LedgerWrite, StepNote, StepState } from "../blueprint-ledger.ts";
import type { Plan, Step } from "../blueprint-plan.ts";

/* Every write of a ledger carries the lease: whoever has lost it changes nothing any more. */

export type NewApply = Pick<
  Apply,
  | "id"
  | "account"
  | "planId"
  | "taskId"
  | "taskRound"
  | "blueprintPath"
  | "blueprint"
  | "prune"
  | "fingerprint"
  | "plan"
  | "actor"
> & { state: "requested" | "running" };

export type ApplyLease = { applyId: string; leaseId: string };

function toApply(row: Row): Omit<Apply, "steps"> {
  return {
    id: row.id as string,
    account: row.account as string,
    planId: row.plan_id as string,
    taskId: row.task_id as string | null,
    taskRound: row.task_round as number,
    blueprintPath: row.blueprint_path as string,
    blueprint: row.blueprint as string,
    prune: row.prune as boolean,
    fingerprint: row.fingerprint as string,
    plan: row.plan as Plan,
    actor: row.actor as string,
    state: row.state as ApplyState,
    error: row.error as string | null,
    createdAt: row.created_at as Date,
    startedAt: row.started_at as Date | null,
    finishedAt: row.finished_at as Date | null,
  };
}

function toStep(row: Row): LedgerStep {
  return {
    position: row.position as number,
    step: row.step as Step,
    state: row.state as StepState,
    attempts: row.attempts as number,
    note: row.note as StepNote,
    writes: row.writes as LedgerWrite[],
    error: row.error as string | null,
    startedAt: row.started_at as Date | null,
    finishedAt: row.finished_at as Date | null,
  };
}

/** Null when another apply of the account is running. */
export async function insertApply(pool: Pool, apply: NewApply): Promise<string | null> {
  try {
    return await transaction(pool, async (db) => {
      await exec(
        db,
        sql`
        insert into render_applies
          (id, account, plan_id, task_id, task_round, blueprint_path, blueprint, prune, fingerprint, plan, actor, state, started_at)
        values (${apply.id}, ${apply.account}, ${apply.planId}, ${apply.taskId}, ${apply.taskRound}, ${apply.blueprintPath}, ${apply.blueprint},
                ${apply.prune}, ${apply.fingerprint}, ${JSON.stringify(apply.plan)}, ${apply.actor}, ${apply.state},
                case when ${apply.state} = 'running' then now() end)`,
      );
      await exec(
        db,
        sql`
        insert into render_apply_steps (apply_id, position, step_id, step)
        select ${apply.id}, at - 1, step ->> 'id', step
          from jsonb_array_elements(${JSON.stringify(apply.plan.steps)}::jsonb) with ordinality as all_steps (step, at)`,
      );
      return apply.id;
    });
  } catch (error) {
    if (sqlState(error) === sqlStates.uniqueViolation) return null;
    throw error;
  }
}

export async function findApply(db: Queryable, id: string): Promise<Apply | null> {
  return await withSteps(db, await maybeOne(db, toApply, sql`select * from render_applies where id = ${id}`));
}

/** What one round of a task carries out; null when it has not begun anything. */
export async function findApplyOfTask(db: Queryable, taskId: string, round: number): Promise<Apply | null> {
  const statement = sql`select * from render_applies where task_id = ${taskId} and task_round = ${round}`;
  return await withSteps(db, await maybeOne(db, toApply, statement));
}

/** The newest apply of a plan that no task has taken, so that the task of a direct call finds what the call began. */
export async function findApplyOfPlan(db: Queryable, planId: string): Promise<Apply | null> {
  const statement = sql`
    select * from render_applies where plan_id = ${planId} and task_id is null order by created_at desc limit 1`;
  return await withSteps(db, await maybeOne(db, toApply, statement));
}

export async function findRunning(db: Queryable, account: string): Promise<{ id: string } | null> {
  const statement = sql`select id from render_applies where account = ${account} and state = 'running'`;
  return await maybeOne(db, (row) => ({ id: row.id as string }), statement);
}

async function withSteps(db: Queryable, apply: Omit<Apply, "steps"> | null): Promise<Apply | null> {
  if (apply === null) return null;
  const steps = await many(
    db,
    toStep,
    sql`select * from render_apply_steps where apply_id = ${apply.id} order by position`,
  );
  return { ...apply, steps };
}

/** Says which task carries it out; false when it has another one. */
export async function bindTask(db: Queryable, id: string, taskId: string): Promise<boolean> {
  const statement = sql`
    update render_applies set task_id = ${taskId}
     where id = ${id} and (task_id is null or task_id = ${taskId})`;
  return (await exec(db, statement)) === 1;
}

/** A requested apply begins: "busy" when another of the account is running, "over" when it is not requested any more. */
export async function beginApply(db: Queryable, id: string): Promise<"running" | "busy" | "over"> {
  try {
    const begun = await exec(
      db,
      sql`update render_applies set state = 'running', started_at = now() where id = ${id} and state = 'requested'`,
    );
    return begun === 1 ? "running" : "over";
  } catch (error) {
    if (sqlState(error) === sqlStates.uniqueViolation) return "busy";
    throw error;
  }
}

/** Takes the work on an apply: null while somebody else has it, or when it is over. */
export async function leaseApply(
  db: Queryable,
  applyId: string,
  lease: { id: string; owner: string; forMs: number },
): Promise<ApplyLease | null> {
  const taken = await exec(
    db,
    sql`
    update render_applies
       set lease_id = ${lease.id}, lease_owner = ${lease.owner}, lease_until = now() + ${lease.forMs} * interval '1 ms'
     where id = ${applyId} and state = 'running' and (lease_until is null or lease_until < now())`,
  );
  return taken === 1 ? { applyId, leaseId: lease.id } : null;
}

/** False: the lease was lost. */
export async function renewApply(db: Queryable, { applyId, leaseId }: ApplyLease, forMs: number): Promise<boolean> {
  const renewed = await exec(
    db,
    sql`
    update render_applies set lease_until = now() + ${forMs} * interval '1 ms'
     where id = ${applyId} and lease_id = ${leaseId} and state = 'running' and lease_until > now()`,
  );
  return renewed === 1;
}

/** Lets somebody else go on at once. */
export async function releaseApply(db: Queryable, { applyId, leaseId }: ApplyLease): Promise<void> {
  await exec(
    db,
    sql`update render_applies set lease_until = null, lease_id = null where id = ${applyId} and lease_id = ${leaseId}`,
  );
}

const isHeld = ({ applyId, leaseId }: ApplyLease) => sql`
  exists (select 1 from render_applies
           where id = ${applyId} and lease_id = ${leaseId} and state = 'running' and lease_until > now() for share)`;

export type StepChange = { state: StepState; note?: StepNote; error?: string | null };

/** False: the lease was lost and nothing changed. A step that begins is counted. */
export async function markStep(
  db: Queryable,
  lease: ApplyLease,
  position: number,
  { state, note, error = null }: StepChange,
): Promise<boolean> {
  const isBegin = state === "running";
  const changed = await exec(
    db,
    sql`
    update render_apply_steps
       set state = ${state}, error = ${error},
           note = note || ${JSON.stringify(note ?? {})}::jsonb,
           attempts = attempts + case when ${isBegin} then 1 else 0 end,
           started_at = coalesce(started_at, case when ${isBegin} then now() end),
           finished_at = case when ${isBegin} then null else now() end
     where apply_id = ${lease.applyId} and position = ${position} and ${isHeld(lease)}`,
  );
  return changed === 1;
}

/** Keeps what a later attempt must know. False: the lease was lost. */
export async function rememberStep(
  db: Queryable,
  lease: ApplyLease,
  position: number,
  note: StepNote,
): Promise<boolean> {
  const changed = await exec(
    db,
    sql`
    update render_apply_steps set note = note || ${JSON.stringify(note)}::jsonb
     where apply_id = ${lease.applyId} and position = ${position} and ${isHeld(lease)}`,
  );
  return changed === 1;
}

/** What a step did, before anything else is done. */
export async function noteWrite(db: Queryable, applyId: string, position: number, write: LedgerWrite): Promise<void> {
  await exec(
    db,
    sql`
    update render_apply_steps set writes = writes || ${JSON.stringify([write])}::jsonb
     where apply_id = ${applyId} and position = ${position}`,
  );
}

/** False: the lease was lost. */
export async function endApply(
  db: Queryable,
  { applyId, leaseId }: ApplyLease,
  end: { state: "done" | "failed"; error: string | null },
): Promise<boolean> {
  const ended = await exec(
    db,
    sql`
    update render_applies
       set state = ${end.state}, error = ${end.error}, finished_at = now(), lease_until = null
     where id = ${applyId} and lease_id = ${leaseId} and state = 'running'`,
  );
  return ended === 1;
}

export type Abandoned = { id: string; taskId: string | null; planId: string; actor: string };

/** Applies that are not over and that nobody has worked on for so long. */
export async function listAbandoned(db: Queryable, idleMs: number): Promise<Abandoned[]> {
  return await many(
    db,
    (row) => ({
      id: row.id as string,
      taskId: row.task_id as string | null,
      planId: row.plan_id as string,
      actor: row.actor as string,
    }),
    sql`
    select id, task_id, plan_id, actor from render_applies
     where state in ('requested', 'running')
       and coalesce(lease_until, started_at, created_at) < now() - ${idleMs} * interval '1 ms'
     order by created_at limit 10`,
  );
}

/** Ends an apply that nobody will carry out any more; not while somebody works on it. */
export async function giveUpApply(db: Queryable, id: string, error: string): Promise<boolean> {
  const ended = await exec(
    db,
    sql`
    update render_applies set state = 'failed', error = ${error}, finished_at = now()
     where id = ${id} and state in ('requested', 'running') and (lease_until is null or lease_until < now())`,
  );
  return ended === 1;
}
