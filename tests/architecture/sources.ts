import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Source = { path: string; text: string };

const root = join(import.meta.dirname, "..", "..");
const binary = /\.(?:png|ico|jpg|webp|gz|woff2)$/;

/** Every file that is or would be committed, without what git ignores. */
export function listFiles(): string[] {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const listed = execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 ** 2 });
  return [...new Set(listed.split("\0"))].filter((path) => path !== "" && existsSync(join(root, path))).sort();
}

export function readTexts(paths: string[]): Source[] {
  return paths
    .filter((path) => !binary.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

export function isTypeScript(path: string): boolean {
  return /\.tsx?$/.test(path) && !path.endsWith(".d.ts");
}

/** Tests and what only they use. */
export function isTest(path: string): boolean {
  return /\.(?:test|fixture)\.tsx?$/.test(path) || /(?:^|\/)(?:tests?|fixtures)\//.test(path);
}
