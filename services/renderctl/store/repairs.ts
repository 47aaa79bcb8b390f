import { exec, many, maybeOne, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { Cause } from "../build-log.ts";
import type { Fix } from "../repair-fix.ts";
import type { RepairState } from "../repair-judge.ts";

export type Repair = {
  id: string;
  serviceId: string;
  serviceName: string;
  deployId: string;
  commitId: string;
  attempt: number;
  cause: Cause;
  evidence: string[];
  fixBefore: Fix | null;
  fixAfter: Fix | null;
  state: RepairState;
  detail: string | null;
  repairDeployId: string | null;
  deployBefore: string | null;
  taskId: string | null;
  createdAt: Date;
  updatedAt: Date;
};

export type NewRepair = Omit<Repair, "createdAt" | "updatedAt" | "repairDeployId" | "deployBefore">;

function toRepair(row: Row): Repair {
  return {
    id: row.id as string,
    serviceId: row.service_id as string,
    serviceName: row.service_name as string,
    deployId: row.deploy_id as string,
    commitId: row.commit_id as string,
    attempt: row.attempt as number,
    cause: row.cause as Cause,
    evidence: row.evidence as string[],
    fixBefore: row.fix_before as Fix | null,
    fixAfter: row.fix_after as Fix | null,
    state: row.state as RepairState,
    detail: row.detail as string | null,
    repairDeployId: row.repair_deploy_id as string | null,
    deployBefore: row.deploy_before as string | null,
    taskId: row.task_id as string | null,
    createdAt: row.created_at as Date,
    updatedAt: row.updated_at as Date,
  };
}

export type RepairStore = ReturnType<typeof buildRepairStore>;

export function buildRepairStore(db: Queryable) {
  return {
    insert: (repair: NewRepair) => insertRepair(db, repair),
    find: (id: string) => maybeOne(db, toRepair, sql`select * from render_repairs where id = ${id}`),
    findOfDeploy: (serviceId: string, deployId: string) =>
      maybeOne(
        db,
        toRepair,
        sql`select * from render_repairs where service_id = ${serviceId} and deploy_id = ${deployId}`,
      ),
    /** What counts against the bounds: the last day, and everything on one commit. */
    listPast: (serviceId: string, commitId: string) =>
      many(
        db,
        toRepair,
        sql`
        select * from render_repairs
         where created_at > now() - interval '1 day' or (service_id = ${serviceId} and commit_id = ${commitId})`,
      ),
    /** Begun and not over, for so long that whoever works on them would have said something. */
    listOpen: (idleMs: number) =>
      many(
        db,
        toRepair,
        sql`
        select * from render_repairs
         where state in ('found', 'patching', 'deploying') and updated_at < now() - ${idleMs} * interval '1 ms'
         order by created_at limit 20`,
      ),
    list: (limit: number) =>
      many(db, toRepair, sql`select * from render_repairs order by created_at desc, id desc limit ${limit}`),
    change: (id: string, change: RepairChange) => changeRepair(db, id, change),
  };
}

/** Null when another monitor has judged this deploy. */
async function insertRepair(db: Queryable, repair: NewRepair): Promise<Repair | null> {
  return await maybeOne(
    db,
    toRepair,
    sql`
    insert into render_repairs
      (id, service_id, service_name, deploy_id, commit_id, attempt, cause, evidence, fix_before, fix_after, state,
       detail, task_id)
    values (${repair.id}, ${repair.serviceId}, ${repair.serviceName}, ${repair.deployId}, ${repair.commitId},
            ${repair.attempt}, ${repair.cause}, ${JSON.stringify(repair.evidence)},
            ${repair.fixBefore === null ? null : JSON.stringify(repair.fixBefore)},
            ${repair.fixAfter === null ? null : JSON.stringify(repair.fixAfter)}, ${repair.state}, ${repair.detail},
            ${repair.taskId})
    on conflict (service_id, deploy_id) do nothing
    returning *`,
  );
}

export type RepairChange = Partial<Pick<Repair, "state" | "detail" | "repairDeployId" | "deployBefore" | "taskId">>;

async function changeRepair(db: Queryable, id: string, change: RepairChange): Promise<void> {
  await exec(
    db,
    sql`
    update render_repairs
       set state = coalesce(${change.state ?? null}, state), detail = coalesce(${change.detail ?? null}, detail),
           repair_deploy_id = coalesce(${change.repairDeployId ?? null}, repair_deploy_id),
           deploy_before = coalesce(${change.deployBefore ?? null}, deploy_before),
           task_id = coalesce(${change.taskId ?? null}::uuid, task_id), updated_at = now()
     where id = ${id}`,
  );
}
