import type { Service } from "./state.ts";

/*
 * What a build says and how it ends, from the settings of the service and what lies in its repository. A repository that
 * was not described builds whatever it is asked to, so that most tests need not care.
 */

export type Commit = { id: string; message: string; createdAt: string };

/** A folder of a repository that a build may start in. */
export type Folder = {
  /** files and folders that are committed in it, such as `package.json` or `public` */
  has: string[];
  /** the folder that its build makes, when it makes one */
  output?: string;
  /** what its build prints */
  log?: string[];
  /** its build fails, after printing `log` */
  fails?: boolean;
};

/** Folders by their path from the root, which is "". */
export type Repo = { branch: string; head: Commit; folders: Record<string, Folder> };

type Failed = "build_failed" | "pre_deploy_failed" | "update_failed";

export type BuildOutcome = { status: "live" | Failed; log: string[]; failure: Record<string, unknown> | null };

/** Overrules what would happen, for the next builds of one service. */
export type BuildScript = {
  serviceId: string;
  times: number;
  status: "live" | Failed;
  log: string[];
  failure?: Record<string, unknown>;
};

const failedLine = "==> Build failed 😞";

/** @param repo undefined: not described, every folder is there */
export function simulateBuild(service: Service, repo: Repo | undefined, commit: Commit | null): BuildOutcome {
  const start = [
    `==> Cloning from ${service.repo ?? service.imagePath ?? "nowhere"}`,
    ...(commit ? [`==> Checking out commit ${commit.id} in branch ${service.branch ?? "main"}`] : []),
  ];
  if (!repo) return toLive(service, start);
  const rootDir = normalize(service.rootDir);
  const folder = repo.folders[rootDir];
  if (!folder) return toFailed([...start, ...missingRoot(service.rootDir)], 1);
  const built = runBuild(service, repo, rootDir);
  if (built.exitCode !== 0) return toFailed([...start, ...built.log], built.exitCode);
  if (service.type !== "static_site") return toLive(service, [...start, ...built.log]);
  const published = String(service.details.publishPath ?? "");
  if (built.made.includes(normalize(published))) return toLive(service, [...start, ...built.log]);
  return toFailed([...start, ...built.log, `==> Publish directory ${published} does not exist!`], 1);
}

type Built = { log: string[]; exitCode: number; made: string[] };

function runBuild(service: Service, repo: Repo, rootDir: string): Built {
  const command = buildCommandOf(service).trim();
  const committed = (repo.folders[rootDir]?.has ?? []).map(normalize);
  if (command === "")
    return { log: ["==> Empty build command; skipping build"], exitCode: 0, made: ["", ...committed] };
  const inside = normalize(/^cd\s+([^\s&;]+)/.exec(command)?.[1] ?? "");
  const place = [rootDir, inside].filter((part) => part !== "").join("/");
  const folder = repo.folders[place];
  const begin = [`==> Running build command '${command}'...`];
  if (!folder?.has.includes("package.json") && /\b(?:npm|pnpm|yarn)\b/.test(command)) {
    return { log: [...begin, ...missingPackage(place), failedLine], exitCode: 254, made: [] };
  }
  const log = [...begin, ...(folder?.log ?? ["added 312 packages in 9s", "> build", "✓ built in 1.94s"])];
  if (folder?.fails) return { log: [...log, failedLine], exitCode: 1, made: [] };
  const output = folder?.output === undefined ? [] : [[inside, folder.output].filter(Boolean).join("/")];
  return { log, exitCode: 0, made: ["", ...committed, ...output.map(normalize)] };
}

function buildCommandOf({ details }: Service): string {
  const specific = (details.envSpecificDetails ?? {}) as { buildCommand?: string };
  return String(details.buildCommand ?? specific.buildCommand ?? "");
}

function missingRoot(rootDir: string): string[] {
  return [
    `==> Root directory "${rootDir}" does not exist. Verify the Root Directory configured in your service settings.`,
    `builder.sh: line 51: cd: /opt/render/project/src/${rootDir}: No such file or directory`,
  ];
}

function missingPackage(place: string): string[] {
  const file = `/opt/render/project/src/${place === "" ? "" : `${place}/`}package.json`;
  return [
    "npm error code ENOENT",
    "npm error syscall open",
    `npm error path ${file}`,
    `npm error enoent Could not read package.json: Error: ENOENT: no such file or directory, open '${file}'`,
  ];
}

function toFailed(log: string[], nonZeroExit: number): BuildOutcome {
  return { status: "build_failed", log, failure: { evicted: false, nonZeroExit } };
}

function toLive(service: Service, log: string[]): BuildOutcome {
  const end = service.type === "static_site" ? "==> Your site is live 🎉" : "==> Your service is live 🎉";
  return { status: "live", log: [...log, "==> Uploading build...", "==> Build successful 🎉", end], failure: null };
}

/** `./dist/`, `dist` and `/dist` are one folder. */
function normalize(path: string): string {
  return path
    .trim()
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}
