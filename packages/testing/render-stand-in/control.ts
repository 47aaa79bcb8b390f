import type { BuildScript, Commit, Folder } from "./builds.ts";
import { beginDeploy, settleDeploys } from "./deploys.ts";
import type { Fault } from "./faults.ts";
import { addService, toService } from "./services.ts";
import { type Json, newId, newOwner, newState, now, Refusal, type Service, type State } from "./state.ts";

/*
 * How a test or a rehearsal steers the stand-in, by a function each and by the same over HTTP under `/__control`:
 *
 *   GET    /state                                                           what there is, values included
 *   GET    /requests                                                        every call of the API so far, oldest first
 *   DELETE /requests
 *   POST   /faults    {"on"?,"path"?,"kind","times","skip"?,"status"?,…}    see faults.ts
 *   DELETE /faults
 *   POST   /services  as Render's, but names may come twice and no limit counts
 *   PUT    /repos     {"url","branch"?,"head"?,"folders"}                   what a build finds, see builds.ts
 *   POST   /builds    {"serviceId","times","status","log","failure"?}       how the next builds end
 *   POST   /pushes    {"repo","id"?,"message"?}                             deploys whoever follows the branch
 *   POST   /owners    {"id"?,"name","type"?}
 *   POST   /credentials {"name"}
 *   POST   /audit     {"event","actor","metadata","timestamp"?}             what somebody did in Render's pages
 *   PATCH  /settings  {"stageMs"?,"hasLimits"?,"queueNext"?,"advanceMs"?}
 *   POST   /reset
 */

export type RepoGiven = { url: string; branch?: string; head?: Partial<Commit>; folders: Record<string, Folder> };
export type Settings = { stageMs?: number; hasLimits?: boolean; queueNext?: number; advanceMs?: number };

export type AuditGiven = {
  event: string;
  actor: { type: "user" | "rest_api" | "system"; email?: string; id?: string };
  metadata: Record<string, string>;
  timestamp?: string;
};

export type Control = ReturnType<typeof buildControl>;

export function buildControl(state: State) {
  return {
    fail: (fault: Fault): void => void state.faults.push({ ...fault }),
    addService: (given: Json): Service => addService(state, { ownerId: state.owners[0]?.id, ...given }),
    /** Begins a deploy of it, as Render does at the creation. */
    deploy: (service: Service, trigger = "new_commit") => beginDeploy(state, service, { trigger }),
    setRepo({ url, branch = "main", head = {}, folders }: RepoGiven): void {
      state.repos.set(url, { branch, head: toCommit(state, head), folders });
    },
    scriptBuild: (script: BuildScript): void => void state.scripts.push({ ...script }),
    push(repo: string, commit: Partial<Commit> = {}): number {
      const known = state.repos.get(repo);
      if (known) known.head = toCommit(state, commit);
      const following = state.services.filter((one) => one.repo === repo && one.autoDeployTrigger === "commit");
      for (const service of following) beginDeploy(state, service, { trigger: "new_commit" });
      return following.length;
    },
    addOwner(name: string, type: "team" | "user" = "team", id = newId(type === "team" ? "tea" : "usr")): string {
      state.owners.push(newOwner(id, name, type));
      return id;
    },
    addCredential(name: string): string {
      const id = newId("rgc");
      state.credentials.push({ id, name, registry: "DOCKER", username: "acme", updatedAt: now(state) });
      return id;
    },
    noteAudit({ event, actor, metadata, timestamp = now(state) }: AuditGiven): void {
      state.audit.unshift({ id: newId("aud"), timestamp, event, status: "success", actor, metadata });
    },
    set({ advanceMs = 0, ...given }: Settings): void {
      state.aheadMs += advanceMs;
      Object.assign(state, given);
      settleDeploys(state);
    },
    reset(): void {
      const { token, stageMs, hasLimits } = state;
      Object.assign(state, newState({ token, stageMs, hasLimits }));
    },
    /** What changed something so far. */
    writes: () => state.requests.filter(({ isWrite }) => isWrite),
  };
}

function toCommit(
  state: State,
  { id = newId("c").slice(2).padEnd(40, "0"), message = "Change", createdAt }: Partial<Commit>,
) {
  return { id, message, createdAt: createdAt ?? now(state) };
}

/** The answer to one call under `/__control`. @throws Refusal */
export function answerControl(
  state: State,
  control: Control,
  call: { method: string; path: string; body: unknown },
): Json {
  const body = (call.body ?? {}) as Json;
  const actions: Record<string, () => Json> = {
    "GET /state": () => show(state),
    "GET /requests": () => ({ items: state.requests }),
    "DELETE /requests": () => done(() => state.requests.splice(0)),
    "POST /faults": () => done(() => control.fail(body as Fault)),
    "DELETE /faults": () => done(() => state.faults.splice(0)),
    "POST /services": () => toService(state, control.addService(body)),
    "PUT /repos": () => done(() => control.setRepo(body as RepoGiven)),
    "POST /builds": () => done(() => control.scriptBuild(body as BuildScript)),
    "POST /pushes": () => ({ deployed: control.push(String(body.repo), body as Partial<Commit>) }),
    "POST /owners": () => ({
      id: control.addOwner(String(body.name), body.type as "team" | "user", body.id as string),
    }),
    "POST /credentials": () => ({ id: control.addCredential(String(body.name)) }),
    "POST /audit": () => done(() => control.noteAudit(body as AuditGiven)),
    "PATCH /settings": () => done(() => control.set(body as Settings)),
    "POST /reset": () => done(() => control.reset()),
  };
  const action = actions[`${call.method} ${call.path}`];
  if (!action) throw new Refusal(404, `the stand-in knows: ${Object.keys(actions).join(", ")}`);
  return action();
}

function done(act: () => unknown): Json {
  act();
  return { done: true };
}

function show(state: State): Json {
  const services = state.services.map((service) => ({
    ...toService(state, service),
    envVars: Object.fromEntries(service.envVars),
    secretFiles: Object.fromEntries(service.secretFiles),
    routes: service.routes,
    headers: service.headers,
    domains: service.domains,
    deploys: service.deploys.map(({ id, status, trigger }) => ({ id, status, trigger })),
  }));
  const groups = state.groups.map((group) => ({
    ...group,
    envVars: Object.fromEntries(group.envVars),
    secretFiles: Object.fromEntries(group.secretFiles),
    serviceIds: [...group.serviceIds],
  }));
  const { owners, postgres, keyValues, projects, environments } = state;
  return { owners, services, postgres, keyValues, groups, projects, environments };
}
