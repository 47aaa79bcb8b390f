import { exec, many, maybeOne, one, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { Seen } from "../blueprint-live.ts";
import type { Chosen } from "../blueprint-narrow.ts";
import type { Plan } from "../blueprint-plan.ts";

export type StoredPlan = {
  id: string;
  account: string;
  blueprintPath: string;
  blueprint: string;
  prune: boolean;
  /** what the plan was made for; null: everything */
  only: Chosen[] | null;
  plan: Plan;
  fingerprint: string;
  seen: Seen;
  actor: string;
  expiresAt: Date;
};

function toPlan(row: Row): StoredPlan {
  return {
    id: row.id as string,
    account: row.account as string,
    blueprintPath: row.blueprint_path as string,
    blueprint: row.blueprint as string,
    prune: row.prune as boolean,
    only: row.only_these as Chosen[] | null,
    plan: row.plan as Plan,
    fingerprint: row.fingerprint as string,
    seen: row.seen as Seen,
    actor: row.actor as string,
    expiresAt: row.expires_at as Date,
  };
}

/** Keeps a plan for so long; when it expires, by the database's clock. Plans that expired an hour ago are forgotten with it. */
export async function insertPlan(
  db: Queryable,
  plan: Omit<StoredPlan, "expiresAt">,
  keepSeconds: number,
): Promise<StoredPlan> {
  return await one(
    db,
    toPlan,
    sql`
    with forgotten as (
      delete from render_plans where expires_at < now() - interval '1 hour'
    )
    insert into render_plans
      (id, account, blueprint_path, blueprint, prune, only_these, plan, fingerprint, seen, actor, expires_at)
    values (${plan.id}, ${plan.account}, ${plan.blueprintPath}, ${plan.blueprint}, ${plan.prune},
            ${plan.only === null ? null : JSON.stringify(plan.only)}::jsonb, ${JSON.stringify(plan.plan)}, ${plan.fingerprint}, ${JSON.stringify(plan.seen)}, ${plan.actor},
            now() + ${keepSeconds} * interval '1 second')
    returning *`,
  );
}

/** Null when there is none, or when it has expired. */
export function findPlan(db: Queryable, id: string): Promise<StoredPlan | null> {
  return maybeOne(db, toPlan, sql`select * from render_plans where id = ${id} and expires_at > now()`);
}

/** Ids of live resources that an apply has made or changed. */
export function listManaged(db: Queryable, account: string): Promise<string[]> {
  return many(
    db,
    (row) => row.resource_id as string,
    sql`select resource_id from render_managed where account = ${account}`,
  );
}

export async function addManaged(
  db: Queryable,
  managed: { id: string; account: string; resource: string },
): Promise<void> {
  await exec(
    db,
    sql`
    insert into render_managed (resource_id, account, resource) values (${managed.id}, ${managed.account}, ${managed.resource})
    on conflict (resource_id) do update set resource = excluded.resource, at = now()`,
  );
}
