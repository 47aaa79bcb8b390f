import { type BuildOutcome, type Commit, simulateBuild } from "./builds.ts";
import type { Handler } from "./handler.ts";
import { toPage } from "./pages.ts";
import {
  type Deploy,
  type DeployStatus,
  getById,
  type Json,
  newId,
  nowMs,
  Refusal,
  type Service,
  type State,
  toTime,
} from "./state.ts";

const ended = new Set<DeployStatus>([
  "live",
  "deactivated",
  "build_failed",
  "update_failed",
  "pre_deploy_failed",
  "canceled",
]);

/** Begins a deploy; an earlier one that is still under way is given up for it, as Render does by default. */
export function beginDeploy(
  state: State,
  service: Service,
  wanted: { trigger: string; commitId?: string; imageUrl?: string; from?: Deploy; clearCache?: boolean },
): Deploy {
  const atMs = nowMs(state);
  for (const earlier of service.deploys) if (!ended.has(earlier.status)) end(earlier, "canceled", atMs);
  const repo = state.repos.get(service.repo ?? "");
  const commit = wanted.from ? wanted.from.commit : toCommit(service, repo?.head, wanted.commitId);
  const deploy: Deploy = {
    id: newId("dep"),
    status: "created",
    trigger: wanted.trigger,
    commit,
    imageRef: service.imagePath === null ? null : (wanted.imageUrl ?? service.imagePath),
    createdAtMs: atMs,
    updatedAtMs: atMs,
    finishedAtMs: null,
    outcome: wanted.from
      ? { status: "live", log: ["==> Rolling back..."], failure: null }
      : (takeScript(state, service) ?? simulateBuild(service, repo, commit)),
    isRollback: wanted.from !== undefined,
    clearCache: wanted.clearCache ?? false,
    hasLogged: false,
  };
  service.deploys.unshift(deploy);
  note(state, service, "deploy_started", { deployId: deploy.id, trigger: {} });
  return deploy;
}

function toCommit(service: Service, head: Commit | undefined, id: string | undefined): Commit | null {
  if (service.repo === null) return null;
  const fallback = { id: "9e4477477dceac932bf6b25a03f48d92a43453fa", message: "Begin", createdAt: toTime(0) };
  const known = head ?? fallback;
  return id === undefined ? known : { ...known, id };
}

function takeScript(state: State, service: Service): BuildOutcome | null {
  const script = state.scripts.find((one) => one.serviceId === service.id && one.times > 0);
  if (!script) return null;
  script.times -= 1;
  return { status: script.status, log: script.log, failure: script.failure ?? { evicted: false, nonZeroExit: 1 } };
}

/** Brings every deploy to where the clock says it is. */
export function settleDeploys(state: State): void {
  for (const service of state.services) {
    for (const deploy of [...service.deploys].reverse()) if (!ended.has(deploy.status)) settle(state, service, deploy);
  }
}

function settle(state: State, service: Service, deploy: Deploy): void {
  const stages = stagesOf(service, deploy);
  const passed = state.stageMs === 0 ? stages.length : Math.floor((nowMs(state) - deploy.createdAtMs) / state.stageMs);
  const status = stages[passed];
  if (passed >= 1) writeBuildLog(state, service, deploy);
  if (status !== undefined) {
    if (deploy.status !== status) Object.assign(deploy, { status, updatedAtMs: atStage(state, deploy, passed) });
    return;
  }
  const final = deploy.outcome.status;
  if (final === "live") for (const one of service.deploys) if (one.status === "live") one.status = "deactivated";
  end(deploy, final, atStage(state, deploy, stages.length));
  noteEnd(state, service, deploy);
}

function stagesOf(service: Service, { outcome, isRollback }: Deploy): DeployStatus[] {
  const specific = (service.details.envSpecificDetails ?? {}) as { preDeployCommand?: string };
  const build: DeployStatus[] = isRollback ? ["created"] : ["created", "build_in_progress"];
  if (outcome.status === "build_failed") return build;
  const before: DeployStatus[] = specific.preDeployCommand ? ["pre_deploy_in_progress"] : [];
  return outcome.status === "pre_deploy_failed" ? [...build, ...before] : [...build, ...before, "update_in_progress"];
}

function atStage(state: State, deploy: Deploy, stage: number): number {
  return deploy.createdAtMs + stage * state.stageMs;
}

function end(deploy: Deploy, status: DeployStatus, atMs: number): void {
  Object.assign(deploy, { status, updatedAtMs: atMs, finishedAtMs: atMs });
}

function writeBuildLog(state: State, service: Service, deploy: Deploy): void {
  if (deploy.hasLogged) return;
  deploy.hasLogged = true;
  const { log } = deploy.outcome;
  // A millisecond apart, so that their order shows, and none in the future.
  const fromMs = atStage(state, deploy, 1) - log.length;
  log.forEach((message, index) => {
    service.logs.push({ id: newId("log"), atMs: fromMs + index, message, type: "build" });
  });
}

function noteEnd(state: State, service: Service, deploy: Deploy): void {
  const { failure } = deploy.outcome;
  const reason = failure ? { failure } : {};
  const isFailed = deploy.status !== "live";
  if (!deploy.isRollback) {
    const didBuild = deploy.status !== "build_failed";
    const build = {
      buildId: newId("bld"),
      buildStatus: didBuild ? "succeeded" : "failed",
      status: didBuild ? 2 : 3,
      reason,
    };
    note(state, service, "build_ended", didBuild ? { ...build, reason: {} } : build);
  }
  const deployStatus = isFailed ? "failed" : "succeeded";
  note(state, service, "deploy_ended", { deployId: deploy.id, deployStatus, status: isFailed ? 3 : 2, reason });
}

export function note(state: State, service: Service, type: string, details: Json): void {
  service.events.unshift({ id: newId("evt"), timestamp: toTime(nowMs(state)), serviceId: service.id, type, details });
}

function toDeploy(deploy: Deploy): Json {
  return {
    id: deploy.id,
    status: deploy.status,
    trigger: deploy.trigger,
    commit: deploy.commit,
    ...(deploy.imageRef !== null && { image: { ref: deploy.imageRef } }),
    createdAt: toTime(deploy.createdAtMs),
    startedAt: toTime(deploy.createdAtMs),
    updatedAt: toTime(deploy.updatedAtMs),
    finishedAt: deploy.finishedAtMs === null ? null : toTime(deploy.finishedAtMs),
  };
}

const listDeploys: Handler = ({ state, params, query }) => {
  const { deploys } = getById(state.services, params.serviceId, "service");
  const statuses = query.getAll("status");
  const found = deploys.filter(({ status }) => statuses.length === 0 || statuses.includes(status));
  return { status: 200, body: toPage(found, query, "deploy", toDeploy) };
};

const createDeploy: Handler = ({ state, params, body }) => {
  const service = getById(state.services, params.serviceId, "service");
  const { commitId, imageUrl, clearCache, deployMode } = body as Record<string, string | undefined>;
  if (service.isSuspended) throw new Refusal(400, "service is suspended; resume it before deploying");
  if (deployMode !== undefined && [commitId, imageUrl, clearCache].some((one) => one !== undefined)) {
    throw new Refusal(400, "deployMode cannot be combined with clearCache, commitId or imageUrl");
  }
  if (commitId !== undefined && service.type === "cron_job") {
    throw new Refusal(400, "commitId is not supported for cron jobs");
  }
  const deploy = beginDeploy(state, service, {
    trigger: "api",
    ...(commitId !== undefined && { commitId }),
    ...(imageUrl !== undefined && { imageUrl }),
    clearCache: clearCache === "clear",
  });
  if (state.queueNext === 0) return { status: 201, body: toDeploy(deploy) };
  state.queueNext -= 1;
  return { status: 202, body: null };
};

const retrieveDeploy: Handler = ({ state, params }) => {
  const { deploys } = getById(state.services, params.serviceId, "service");
  return { status: 200, body: toDeploy(getById(deploys, params.deployId, "deploy")) };
};

const cancelDeploy: Handler = ({ state, params }) => {
  const { deploys } = getById(state.services, params.serviceId, "service");
  const deploy = getById(deploys, params.deployId, "deploy");
  if (ended.has(deploy.status)) throw new Refusal(400, `deploy is ${deploy.status} and cannot be canceled`);
  end(deploy, "canceled", nowMs(state));
  return { status: 200, body: toDeploy(deploy) };
};

const rollback: Handler = ({ state, params, body }) => {
  const service = getById(state.services, params.serviceId, "service");
  const from = getById(service.deploys, String((body as Json).deployId), "deploy");
  if (!["deactivated", "live"].includes(from.status)) throw new Refusal(400, "deploy was never live");
  if (service.isSuspended) throw new Refusal(400, "service is suspended; resume it before deploying");
  return { status: 201, body: toDeploy(beginDeploy(state, service, { trigger: "rollback", from })) };
};

export const deployHandlers: Record<string, Handler> = {
  "list-deploys": listDeploys,
  "create-deploy": createDeploy,
  "retrieve-deploy": retrieveDeploy,
  "cancel-deploy": cancelDeploy,
  "rollback-deploy": rollback,
};
