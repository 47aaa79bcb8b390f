import { readFileSync } from "node:fs";

/** The version of Signalbox; all its packages are released together and carry the same one. */
export const version: string = readVersion(readFileSync(new URL("./package.json", import.meta.url), "utf8"));

function readVersion(manifest: string): string {
  const { version }: { version?: unknown } = JSON.parse(manifest);
  return typeof version === "string" ? version : "0.0.0";
}
