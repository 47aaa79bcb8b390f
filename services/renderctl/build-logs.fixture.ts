/** Logs of failed and of healthy builds, each with the settings that it was built with and what is to be done about it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SiteSettings } from "./repair-fix.ts";

const folder = join(import.meta.dirname, "build-logs");
export const names = readdirSync(folder).map((file) => file.replace(/\.txt$/, ""));

export function readCase(name: string) {
  const [head = "", body = ""] = readFileSync(join(folder, `${name}.txt`), "utf8").split("\n---\n");
  const about = Object.fromEntries(
    head.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  const json = (text: string | undefined) => JSON.parse(text ?? "null");
  const failure = json(about.failure) as Record<string, unknown> | null;
  return {
    expected: { cause: about.cause, fix: json(about.fix) },
    failed: {
      status: about.status ?? "",
      lines: body.split("\n"),
      failure,
      hasNoMinutes: failure?.event === "pipeline_minutes_exhausted",
    },
    patient: {
      type: about.type as "static_site",
      live: json(about.live) as SiteSettings,
      blueprint: json(about.blueprint) as SiteSettings | null,
    },
  };
}
