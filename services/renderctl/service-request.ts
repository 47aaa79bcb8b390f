import type { NewService, Region, Runtime, ServiceType } from "./render-shapes.ts";

/** What a person says of a service that shall be made. */
export type ServiceWish = {
  name: string;
  type: ServiceType;
  repo?: string;
  branch?: string;
  rootDir?: string;
  runtime?: Runtime;
  plan?: string;
  region?: Region;
  buildCommand?: string;
  startCommand?: string;
  publishPath?: string;
  schedule?: string;
  healthCheckPath?: string;
  dockerfilePath?: string;
  env?: Record<string, string>;
  autoDeploy?: boolean;
};

export type Problem = { path: string; message: string };

type Member = keyof ServiceWish;

const onlyServers = ["runtime", "plan", "region", "startCommand", "dockerfilePath"] as const satisfies Member[];

/** Members that belong to some types only; the rest belongs to all. */
const belongs: Partial<Record<Member, ServiceType[]>> = {
  publishPath: ["static_site"],
  schedule: ["cron_job"],
  healthCheckPath: ["web_service"],
};

/**
 * The same with what it leaves open: the repository of the fleet, and for a server that names neither runtime nor command its Dockerfile.
 *
 * @param repository null when none is known
 */
export function withDefaults<W extends ServiceWish>(wish: W, repository: string | null): W {
  const { type, runtime, buildCommand, startCommand } = wish;
  const isBare = type !== "static_site" && [runtime, buildCommand, startCommand].every((one) => one === undefined);
  return {
    ...wish,
    ...(wish.repo === undefined && repository !== null && { repo: repository }),
    ...(isBare && { runtime: "docker" }),
  };
}

/** What Render would refuse, or silently make something else of; empty when it is a service that can be made. */
export function findProblems(wish: ServiceWish): Problem[] {
  const { type, runtime } = wish;
  const problems = Object.entries(belongs)
    .filter(([member, types]) => wish[member as Member] !== undefined && !types.includes(type))
    .map(([member]) => ({ path: `/${member}`, message: `does not belong to a ${type}` }));
  const need = (member: Member, why: string) => {
    if (!wish[member]) problems.push({ path: `/${member}`, message: `is needed ${why}` });
  };
  need("repo", "to build from; or set RENDER_REPO");
  if (type === "static_site") {
    for (const member of onlyServers) {
      if (wish[member] !== undefined)
        problems.push({ path: `/${member}`, message: "does not belong to a static site" });
    }
    return problems;
  }
  need("runtime", `for a ${type}`);
  if (type === "cron_job") need("schedule", "for a cron_job");
  if (runtime === "image") problems.push({ path: "/runtime", message: "image is not built from a repository" });
  if (runtime !== undefined && runtime !== "docker") {
    need("buildCommand", `for the runtime ${runtime}`);
    need("startCommand", `for the runtime ${runtime}`);
  }
  return problems;
}

/** For Render; what it would choose by itself is chosen here, because its own defaults change. */
export function toNewService(wish: ServiceWish, ownerId: string): NewService {
  const { type, name, repo, branch, rootDir, env = {}, autoDeploy = true } = wish;
  const envVars = Object.entries(env).map(([key, value]) => ({ key, value }));
  return {
    ...{ type, name, ownerId },
    ...given({ repo, branch, rootDir }),
    autoDeployTrigger: autoDeploy ? "commit" : "off",
    ...(envVars.length > 0 && { envVars }),
    serviceDetails: type === "static_site" ? toSite(wish) : toServer(wish),
  };
}

function toSite({ buildCommand, publishPath }: ServiceWish): NonNullable<NewService["serviceDetails"]> {
  return given({ buildCommand, publishPath });
}

function toServer(wish: ServiceWish): NonNullable<NewService["serviceDetails"]> {
  const { runtime, plan = "starter", region = "oregon", schedule, healthCheckPath } = wish;
  const { buildCommand, startCommand, dockerfilePath = "./Dockerfile" } = wish;
  const isDocker = runtime === "docker";
  const docker = { dockerfilePath, dockerContext: ".", dockerCommand: startCommand ?? "" };
  return {
    ...given({ runtime, schedule, healthCheckPath }),
    ...{ plan, region },
    envSpecificDetails: isDocker ? docker : given({ buildCommand, startCommand }),
  };
}

/** Without the members that are undefined: Render takes an absent one for "as it is". */
function given<T extends Record<string, unknown>>(members: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}
