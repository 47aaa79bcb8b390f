import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";

/** What changed: a service's own files, everybody's, or the dashboard's. */
export type Changed = { kind: "service"; name: string } | { kind: "common" } | { kind: "dashboard" };

const settleMs = 150;

/** Calls once for each burst of changes: editors write a file several times. */
export function watchSources(repository: string, services: string[], onChange: (changed: Changed) => void): () => void {
  const watchers: FSWatcher[] = [];
  const follow = (folder: string, changed: Changed) => {
    let timer: NodeJS.Timeout | undefined;
    const watcher = watch(join(repository, folder), { recursive: true }, (_event, file) => {
      if (!isSource(file)) return;
      clearTimeout(timer);
      timer = setTimeout(() => onChange(changed), settleMs);
    });
    watchers.push(watcher);
  };
  for (const name of services) follow(join("services", name), { kind: "service", name });
  follow(join("packages", "common"), { kind: "common" });
  follow("dashboard", { kind: "dashboard" });
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}

function isSource(file: string | null): boolean {
  if (file === null) return true;
  return (
    /\.(?:ts|tsx|css|html|json|svg)$/.test(file) && !/\.test\.tsx?$|(?:^|[\\/])(?:node_modules|dist)[\\/]/.test(file)
  );
}
