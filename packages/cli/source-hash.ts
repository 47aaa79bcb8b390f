import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";

const notSources = new Set(["node_modules", "dist", "test"]);

/** Names the content of files and folders, tests aside: the same text exactly when nothing of it has changed. */
export async function hashFiles(root: string, places: string[]): Promise<string> {
  const files = (await Promise.all(places.map((place) => listFiles(join(root, place))))).flat().sort();
  const hash = createHash("sha256");
  for (const file of files) {
    const content = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
    hash.update(`${relative(root, file)} ${content}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}

async function listFiles(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (!found) return [];
  if (found.isFile()) return [path];
  const names = (await readdir(path)).filter(
    (name) => !notSources.has(name) && !/\.(?:test|fixture)\.tsx?$/.test(name),
  );
  return (await Promise.all(names.map((name) => listFiles(join(path, name))))).flat();
}
