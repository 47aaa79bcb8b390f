import type { Unsupported } from "./blueprint.ts";
import type { Entry } from "./blueprint-spelling.ts";

const notInApi = "Render's API cannot do it; set it in Render's own pages, or let Render sync the blueprint";
const previews = "preview environments are made by Render's own sync of the blueprint";

/** Members that are understood and not carried out, each with why. */
const reasons: Record<string, string> = {
  initialDeployHook: notInApi,
  previewPlan: previews,
  previewDiskSizeGB: previews,
  previewValue: previews,
  previewsEnabled: previews,
  previewsExpireAfterDays: previews,
  buildSource: "build sources are not managed, and so this service is not",
  buildSources: "build sources are not managed",
  projects: "resources are managed wherever they are; projects and environments themselves are not",
  ungrouped: "resources are managed wherever they are, and none is moved out of an environment",
};

/** What of an entry is not carried out: told in every plan, so that nobody believes that it was. */
export function findUnsupported(entry: Entry, resource = "blueprint", prefix = ""): Unsupported[] {
  const fields = Object.keys(entry).filter((field) => Object.hasOwn(reasons, field));
  const found = fields.map((field) => ({ resource, field: `${prefix}${field}`, reason: reasons[field] ?? "" }));
  return [...found, ...findOddPreviews(entry, resource), ...findWorkflow(entry, resource)];
}

function findOddPreviews({ previews: said }: Entry, resource: string): Unsupported[] {
  if (typeof said !== "object" || said === null) return [];
  const members = Object.keys(said).filter((member) => resource === "blueprint" || member !== "generation");
  return members.map((member) => ({ resource, field: `previews.${member}`, reason: previews }));
}

function findWorkflow({ type }: Entry, resource: string): Unsupported[] {
  return type === "workflow" ? [{ resource, field: "type", reason: "workflows are not managed" }] : [];
}
