/*
 * Watches the services whose owner consents to it (RENDER_MONITOR_SERVICES), and nobody else's. A failed build is judged once:
 * the row of its repair is the claim on it, whichever process writes it first. What can be mended becomes a task, which is
 * carried out and audited like every other; what cannot becomes a task that waits for a person, with what was found.
 */
import type { Log } from "@signalbox/common/log.ts";
import { redactText } from "@signalbox/common/redact.ts";
import { rest } from "@signalbox/common/tail.ts";
import { newTrace } from "@signalbox/common/trace.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { classify, type Finding } from "../build-log.ts";
import { endedStatuses, type TaskClient } from "../clients/orchestrator.ts";
import type { RenderApi, RenderClient } from "../clients/render.ts";
import type { Deploy, Service } from "../render-shapes.ts";
import { type Fix, planFix, settingsOf } from "../repair-fix.ts";
import { judgePermission } from "../repair-judge.ts";
import type { NewRepair, Repair, RepairStore } from "../store/repairs.ts";
import { readBuild } from "./build-report.ts";
import type { Planner } from "./planner.ts";
import type { Workspace } from "./workspace.ts";

export type MonitorOptions = {
  client: RenderClient;
  tasks: TaskClient;
  repairs: RepairStore;
  workspace: Workspace;
  planner: Pick<Planner, "siteOf">;
  /** ids and exact names */
  monitored: readonly string[];
  log: () => Log;
  everyMs: number;
};

export function isMonitored(monitored: readonly string[], { id, name }: Pick<Service, "id" | "name">): boolean {
  return monitored.includes(id) || monitored.includes(name);
}

/** Logs arrive late: an empty one is looked at this often before it counts as empty. */
const looksAtMost = 3;
const evidenceAtMost = 30;

type Found = { service: Service; deploy: Deploy; finding: Finding; fix: Fix | null };

export function buildMonitor(options: MonitorOptions) {
  const { client, repairs, workspace, monitored, log, everyMs } = options;
  /** how often the log of a deploy was found empty, by its id */
  const empty = new Map<string, number>();

  async function look(signal: AbortSignal): Promise<void> {
    if (monitored.length === 0) return;
    const api = client.during({ signal });
    const ownerId = await workspace.ownerId(api);
    for (const repair of await repairs.listOpen(idleMs)) await tend(options, repair, signal);
    const all = await api.services.list({ ownerId });
    for (const service of all.filter((one) => isMonitored(monitored, one) && one.suspended !== "suspended")) {
      const found = await examine(api, service);
      if (found) await act(options, found, signal);
    }
  }

  async function examine(api: RenderApi, service: Service): Promise<Found | null> {
    const [deploy] = (await api.deploys.page(service.id, { limit: 1 })).items;
    if (deploy?.status !== "build_failed" || (await repairs.findOfDeploy(service.id, deploy.id))) return null;
    const past = await repairs.listPast(service.id, deploy.commit?.id ?? "");
    // Its own task looks at the deploy that it has asked for.
    const isUnderWay = past.some(({ serviceId, state }) => serviceId === service.id && openStates.includes(state));
    if (isUnderWay) return null;
    const build = await readBuild(api, service, deploy);
    const looks = (empty.get(deploy.id) ?? 0) + 1;
    if (build.lines.length === 0 && build.failure === null && !build.hasNoMinutes && looks < looksAtMost) {
      empty.set(deploy.id, looks);
      return null;
    }
    empty.delete(deploy.id);
    const finding = classify(build);
    const blueprint = service.type === "static_site" ? await options.planner.siteOf(service) : null;
    return {
      service,
      deploy,
      finding,
      fix: planFix(finding, { type: service.type, live: settingsOf(service), blueprint }),
    };
  }

  return {
    look,
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted && monitored.length > 0) {
        await look(signal).catch((err: unknown) => {
          if (!signal.aborted)
            log().warn({ err }, "the monitored services could not be looked at; this will be tried again");
        });
        await rest(everyMs, signal);
      }
    },
  };
}

const openStates: readonly string[] = ["found", "patching", "deploying"];

async function act(options: MonitorOptions, found: Found, signal: AbortSignal): Promise<void> {
  const { repairs } = options;
  const { service, deploy, finding, fix } = found;
  const commitId = deploy.commit?.id ?? "";
  const past = await repairs.listPast(service.id, commitId);
  const permission = judgePermission({ serviceId: service.id, commitId, fix }, past, new Date());
  if (permission.kind === "wait") return;
  const about = { id: uuidv7(), serviceId: service.id, serviceName: service.name, deployId: deploy.id, commitId };
  const evidence = finding.evidence.slice(-evidenceAtMost).map(redactText);
  const told = { ...about, cause: finding.cause, evidence };
  if (permission.kind === "report") return await report(options, { ...told, because: permission.because }, signal);
  const fixBefore = Object.fromEntries(
    Object.keys(fix ?? {}).map((field) => [field, settingsOf(service)[field as keyof Fix]]),
  );
  const begun = { state: "found" as const, detail: null, taskId: null };
  const row = { ...told, ...begun, attempt: permission.attempt, fixBefore, fixAfter: fix };
  const repair = await repairs.insert(row);
  if (repair) await begin(options, repair, signal);
}

async function begin({ tasks, repairs, log }: MonitorOptions, repair: Repair, signal: AbortSignal): Promise<void> {
  const { id, serviceName, cause, fixAfter } = repair;
  const task = { type: "renderctl.repair", payload: { repairId: id }, source: "renderctl monitor", maxAttempts: 5 };
  const wanting = { onBehalfOf: null, trace: newTrace(), idempotencyKey: `repair:${id}` };
  const taskId = await tasks.ensure(task, wanting, signal);
  await repairs.change(id, { taskId });
  log().info({ repairId: id, taskId, cause, fix: fixAfter }, `a failed build of ${serviceName} is being repaired`);
}

const idleMs = 60_000;

/** A repair that lost its process before it got a task, or whose task a person has ended, must not hold up the next. */
async function tend(options: MonitorOptions, repair: Repair, signal: AbortSignal): Promise<void> {
  if (repair.taskId === null) return await begin(options, repair, signal);
  const task = await options.tasks.find(repair.taskId, signal);
  if (task && !endedStatuses.includes(task.status)) return;
  const detail = task ? `its task ended ${task.status}` : "its task is gone";
  await options.repairs.change(repair.id, { state: "yielded", detail });
}

type Report = Pick<NewRepair, "id" | "serviceId" | "serviceName" | "deployId" | "commitId" | "cause" | "evidence"> & {
  because: string;
};

/**
 * A task that waits: whoever has mended what the report names approves it, and the service is deployed anew. The task comes before the
 * row, which says that this deploy was judged: a monitor that dies in between leaves no report that nobody is asked about, and the next
 * one finds the task by its key.
 */
async function report(options: MonitorOptions, about: Report, signal: AbortSignal): Promise<void> {
  const { tasks, repairs, log } = options;
  const { because, ...told } = about;
  const { serviceId, serviceName, deployId, cause, evidence } = about;
  const lines = evidence.slice(-10).join("\n").slice(0, 1_200);
  const reason = `The build of ${serviceName} failed (${cause}), and ${because}. Mend it, then approve to deploy it anew.\n${lines}`;
  const task = {
    type: "render.deploy",
    payload: { serviceId, clearCache: true },
    source: "renderctl monitor",
    approval: { required: true as const, reason },
  };
  const idempotencyKey = `repair-report:${serviceId}:${deployId}`;
  const taskId = await tasks.ensure(task, { onBehalfOf: null, trace: newTrace(), idempotencyKey }, signal);
  const text = `The build of ${serviceName} failed (${cause}), and ${because}. Task ${taskId} waits for a person.`;
  // What rings is that a decision is wanted; this stands in the same thread, and says what happened.
  const thread = { incident: `task:${taskId}`, dedupeKey: `deploy-failed:${serviceId}:${deployId}`, taskId };
  await tasks.tell({ text, severity: "info", kind: "deploy.failed", ...thread }, signal);
  const none = { fixBefore: null, fixAfter: null, attempt: 1, taskId };
  const row = await repairs.insert({ ...told, ...none, state: "reported", detail: because });
  if (row) log().warn({ repairId: row.id, taskId, cause }, `a failed build of ${serviceName} waits for a person`);
}
