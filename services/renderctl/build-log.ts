/*
 * What the log of a build says about why it failed. Timestamps and colours are taken off first. A line of Render itself
 * begins with `==>` and only counts in a deploy that failed to build: scripts print the same words. The first line that is a
 * cause is the cause; a publish directory that is missing after a tool's error is its consequence.
 */

export const causes = [
  "root_dir_missing",
  "root_dir_wrong",
  "build_command_empty",
  "publish_path_missing",
  "wrong_service_type",
  "compile_error",
  "missing_script",
  "tool_not_found",
  "lockfile_out_of_sync",
  "out_of_memory",
  "repo_access",
  "timeout",
  "pipeline_minutes",
  "unknown",
  "none",
] as const;
export type Cause = (typeof causes)[number];

export type BuildFailure = {
  status: string;
  /** lines of the build, oldest first, as Render gives them */
  lines: readonly string[];
  /** `details.reason.failure` of the event that ended the build, when there is one */
  failure: Record<string, unknown> | null;
  /** the account had no build minutes left */
  hasNoMinutes: boolean;
};

export type Finding = {
  cause: Cause;
  /** the lines that say so */
  evidence: string[];
  /** the folder that was looked for: the root or the publish directory */
  folder: string | null;
  /** folders that the build says it wrote, as it names them */
  outputs: string[];
};

const escapeCode = String.fromCharCode(27);
const colour = new RegExp(`${escapeCode}\\[[0-9;?]*[A-Za-z]`, "g");
const stamp = /^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?\]?[ \t]/;

/** A line without its time and its colours; spaces inside of it may be part of a folder's name. */
function cleanLine(line: string): string {
  return line.replace(colour, "").replace(stamp, "").replace(/\r$/, "");
}

type Signature = { cause: Cause; pattern: RegExp; folder?: number };

/** In the order in which they are looked for in one line. */
const signatures: readonly Signature[] = [
  { cause: "root_dir_missing", pattern: /^==> Root directory "(.*)" does not exist/, folder: 1 },
  {
    cause: "root_dir_missing",
    pattern: /^==> Service Root Directory "\/opt\/render\/project\/src\/(.*)" is missing/,
    folder: 1,
  },
  { cause: "out_of_memory", pattern: /^==> Out of memory|JavaScript heap out of memory/ },
  { cause: "repo_access", pattern: /could not read Username for|^==> Unable to clone|^fatal: repository .* not found/ },
  { cause: "root_dir_wrong", pattern: /Could not read package\.json.*'\/opt\/render\/project\/src\/package\.json'/ },
  { cause: "root_dir_wrong", pattern: /ENOENT.*'\/opt\/render\/project\/src\/package\.json'/ },
  { cause: "root_dir_wrong", pattern: /Couldn't find a package\.json file in "\/opt\/render\/project\/src"/ },
  { cause: "missing_script", pattern: /Missing script: "?[\w:-]+"?|Command "build" not found/ },
  {
    cause: "lockfile_out_of_sync",
    pattern: /are in sync\. Please update your lock file|ERR_PNPM_OUTDATED_LOCKFILE|lockfile needs to be updated/,
  },
  {
    cause: "tool_not_found",
    pattern: /^(?:\/bin\/)?(?:ba)?sh: (?:line )?\d+: .+: (?:command )?not found|exit(?:ed with)? (?:status|code) 127/,
  },
  {
    cause: "compile_error",
    pattern: /^(?:Failed to compile|Build failed because of webpack errors)|\berror ?TS\d+:|error\S* TS\d+:/,
  },
  { cause: "compile_error", pattern: /Rollup failed to resolve|Treating warnings as errors because process\.env\.CI/ },
];
const emptyCommand = /^==> Empty build command; skipping build/;
const missingFolder = /^==> Publish directory (.*) does not exist!/;
/** A build that makes a server has no folder of static files, whatever it is called. */
const serverBuild = /ƒ\s+\(Dynamic\)|standalone output|output: "standalone"/;

export function classify({ status, lines, failure, hasNoMinutes }: BuildFailure): Finding {
  const clean = lines.map(cleanLine);
  const nothing: Finding = { cause: "none", evidence: [], folder: null, outputs: findOutputs(clean) };
  if (status !== "build_failed") return nothing;
  const outer = judgeFailure(failure, hasNoMinutes);
  if (outer !== null) return { ...nothing, cause: outer };
  const first = firstSign(clean);
  if (first) return { ...nothing, ...first };
  return { ...nothing, ...judgeFolders(clean) };
}

function judgeFailure(failure: BuildFailure["failure"], hasNoMinutes: boolean): Cause | null {
  if (hasNoMinutes) return "pipeline_minutes";
  if (failure?.oomKilled) return "out_of_memory";
  return failure?.timedOutSeconds ? "timeout" : null;
}

function firstSign(lines: readonly string[]): Pick<Finding, "cause" | "evidence" | "folder"> | null {
  for (const line of lines) {
    for (const { cause, pattern, folder } of signatures) {
      const match = pattern.exec(line);
      if (match) return { cause, evidence: [line], folder: folder === undefined ? null : (match[folder] ?? null) };
    }
  }
  return null;
}

/** A build that ended well, and a folder that is not there. */
function judgeFolders(lines: readonly string[]): Pick<Finding, "cause" | "evidence" | "folder"> {
  const at = lines.findIndex((line) => missingFolder.test(line));
  if (at === -1) return { cause: "unknown", evidence: lines.slice(-30), folder: null };
  const folder = missingFolder.exec(lines[at] ?? "")?.[1] ?? null;
  const missing = lines[at] ?? "";
  const empty = lines.slice(0, at).find((line) => emptyCommand.test(line));
  if (empty !== undefined) return { cause: "build_command_empty", evidence: [empty, missing], folder };
  const server = lines.find((line) => serverBuild.test(line));
  if (server !== undefined) return { cause: "wrong_service_type", evidence: [server, missing], folder };
  return { cause: "publish_path_missing", evidence: [missing], folder };
}

/** How builders say where they wrote. */
const outputSigns: readonly RegExp[] = [
  /^\s*([\w.-]+(?:\/[\w.-]+)*)\/index\.html\s/,
  /^\s*The ([\w.-]+) folder is ready to be deployed/,
  /Generated static files in "([^"]+)"/,
  /Wrote site to "([^"]+)"/,
];

function findOutputs(lines: readonly string[]): string[] {
  const found = lines.flatMap((line) => outputSigns.flatMap((sign) => sign.exec(line)?.[1] ?? []));
  return [...new Set(found.map((folder) => folder.replace(/^\.\//, "").replace(/\/+$/, "")))];
}
