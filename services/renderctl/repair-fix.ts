import type { Cause, Finding } from "./build-log.ts";
import type { Service, ServiceType } from "./render-shapes.ts";

/*
 * The smallest change of settings that a failed build of a static site asks for, or none. The blueprint decides where it
 * says something; without it only what the log itself proves is corrected. A build command is never invented.
 */

export type SiteSettings = { rootDir: string; buildCommand: string; publishPath: string };
export type Fix = Partial<SiteSettings>;

export type Patient = {
  type: ServiceType;
  live: SiteSettings;
  /** what the blueprint says of it; null when it is not in it, a member it leaves open is missing */
  blueprint: Partial<SiteSettings> | null;
};

/** Which settings each cause can come from; a cause that is not here is not a matter of settings. */
const suspects: Partial<Record<Cause, readonly (keyof SiteSettings)[]>> = {
  root_dir_missing: ["rootDir"],
  root_dir_wrong: ["rootDir"],
  build_command_empty: ["buildCommand", "publishPath"],
  publish_path_missing: ["rootDir", "publishPath"],
  tool_not_found: ["buildCommand"],
};

export function planFix(finding: Finding, patient: Patient): Fix | null {
  const fields = suspects[finding.cause];
  if (patient.type !== "static_site" || fields === undefined) return null;
  const fix = patient.blueprint
    ? fromBlueprint(fields, patient.live, patient.blueprint)
    : fromLog(finding, patient.live);
  return Object.keys(fix).length === 0 ? null : fix;
}

function fromBlueprint(
  fields: readonly (keyof SiteSettings)[],
  live: SiteSettings,
  wanted: Partial<SiteSettings>,
): Fix {
  const differing = fields.filter((field) => {
    const value = wanted[field];
    return value !== undefined && spell(field, value) !== spell(field, live[field], true);
  });
  return Object.fromEntries(differing.map((field) => [field, wanted[field]]));
}

/** Folders lose `./` and slashes; a space at the end of a live one is a mistake that counts. */
function spell(field: keyof SiteSettings, value: string, isLive = false): string {
  if (field === "buildCommand") return value.trim();
  const plain = value.replace(/^(?:\.?\/+)+/, "").replace(/\/+$/, "");
  const trimmed = isLive ? plain : plain.trim();
  return trimmed === "." ? "" : trimmed;
}

function fromLog(finding: Finding, live: SiteSettings): Fix {
  if (finding.cause === "root_dir_missing") return trimmed("rootDir", live);
  if (finding.cause !== "publish_path_missing") return {};
  const repeated = withoutRoot(live);
  if (repeated !== null) return { publishPath: repeated };
  const trim = trimmed("publishPath", live);
  if (Object.keys(trim).length > 0) return trim;
  const [output, ...others] = finding.outputs;
  if (output === undefined || others.length > 0) return {};
  const folder = `${folderOf(live.buildCommand)}${output}`;
  return folder === spell("publishPath", live.publishPath) ? {} : { publishPath: folder };
}

function trimmed(field: "rootDir" | "publishPath", live: SiteSettings): Fix {
  const value = live[field].trim();
  return value === live[field] || value === "" ? {} : { [field]: value };
}

/** The publish path is already relative to the root; saying it twice leads nowhere. */
function withoutRoot({ rootDir, publishPath }: SiteSettings): string | null {
  const [root, publish] = [spell("rootDir", rootDir), spell("publishPath", publishPath)];
  return root !== "" && publish.startsWith(`${root}/`) ? publish.slice(root.length + 1) : null;
}

/** Where a command that begins with `cd X` works. */
function folderOf(buildCommand: string): string {
  const folder = /^\s*cd\s+([^\s;&|]+)\s*(?:&&|;)/.exec(buildCommand)?.[1];
  return folder === undefined ? "" : `${spell("rootDir", folder)}/`;
}

/** How a site is built, as its service shows it. */
export function settingsOf({ rootDir, serviceDetails }: Pick<Service, "rootDir" | "serviceDetails">): SiteSettings {
  const { buildCommand, publishPath } = serviceDetails ?? {};
  return { rootDir: rootDir ?? "", buildCommand: buildCommand ?? "", publishPath: publishPath ?? "" };
}
