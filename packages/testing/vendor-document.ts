import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repositoryRoot } from "./repository.ts";

/*
 * What vendors publish about their own interfaces. It is not ours to pass on, so whoever tests keeps a copy: where the variable
 * says, or in the folder of shared references beside the repository. Tests that need one are skipped by name without it.
 */
const documents = {
  /** https://api-docs.render.com/openapi/render-public-api-1.json */
  renderApi: { variable: "RENDER_OPENAPI", kept: "render/openapi.json" },
  /** https://render.com/schema/render.yaml.json */
  renderBlueprint: { variable: "RENDER_BLUEPRINT_SCHEMA", kept: "render/render.yaml.schema.json" },
  telegramBotApi: { variable: "TELEGRAM_BOT_API_FILE", kept: "telegram/bot-api.json" },
} as const;

/** The document; null when nobody keeps a copy here. */
export function readVendorDocument(name: keyof typeof documents): Record<string, unknown> | null {
  const { variable, kept } = documents[name];
  const path = process.env[variable] ?? join(dirname(repositoryRoot), "shared", "reference", kept);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>) : null;
}
