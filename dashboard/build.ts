import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Metafile } from "esbuild";
import { buildPolicy } from "./policy.ts";

const root = dirname(fileURLToPath(import.meta.url));

export type BuiltFile = { path: string; sizeBytes: number; contents: Uint8Array };
export type Built = {
  files: BuiltFile[];
  /** Scripts that the first page load fetches, and those of each screen beyond them, as paths in `files`. */
  firstLoad: string[];
  screens: Record<string, string[]>;
};
export type BuildOptions = {
  outDir: string;
  /** The fleet, where it is known at build time: written to `config.json` and closing the policy to its addresses. */
  fleet?: { name: string; services: Record<string, string> };
};

type Output = Metafile["outputs"][string];

const common = {
  outdir: join(root, "dist/assets"),
  absWorkingDir: root,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  target: "es2023",
  minify: true,
  legalComments: "none",
  metafile: true,
  write: false,
  logLevel: "warning",
} as const;

/**
 * The page, and what comes before it. Every module of the page imports `main.tsx`, so that all of the first load is one file: split
 * by who else uses it, it would be eleven of them and 5 KB more in all, each compressed alone.
 */
async function bundle() {
  const main = join(root, "src/main.tsx");
  const [page, before] = await Promise.all([
    build({
      ...common,
      entryPoints: { main },
      inject: [main],
      splitting: true,
      jsx: "automatic",
      jsxImportSource: "preact",
    }),
    build({ ...common, entryPoints: { theme: join(root, "src/theme.ts"), style: join(root, "src/styles/main.css") } }),
  ]);
  return {
    outputFiles: [...page.outputFiles, ...before.outputFiles],
    outputs: { ...page.metafile.outputs, ...before.metafile.outputs },
  };
}

const nameOf = (path: string) => `assets/${relative("dist/assets", path)}`;

/** An output and everything it imports before it can run. */
function staticGraph(outputs: Metafile["outputs"], start: string): string[] {
  const found = new Set<string>();
  const visit = (path: string) => {
    if (found.has(path)) return;
    found.add(path);
    for (const { path: next, kind } of outputs[path]?.imports ?? []) if (kind === "import-statement") visit(next);
  };
  visit(start);
  return [...found];
}

function findOutput(outputs: Metafile["outputs"], test: (output: Output) => boolean): string {
  const found = Object.entries(outputs).find(([, output]) => test(output));
  if (!found) throw new Error("the bundle lacks an entry that the page needs");
  return found[0];
}

function screenGraphs(outputs: Metafile["outputs"], firstLoad: readonly string[]): Record<string, string[]> {
  const graphs: Record<string, string[]> = {};
  for (const [path, output] of Object.entries(outputs)) {
    const screen = /^src\/(?:screens|app)\/([\w-]+)\.tsx?$/.exec(output.entryPoint ?? "")?.[1];
    if (screen && !firstLoad.includes(path))
      graphs[screen] = staticGraph(outputs, path)
        .filter((part) => !firstLoad.includes(part))
        .map(nameOf);
  }
  return graphs;
}

async function writePage(
  outputs: Metafile["outputs"],
  firstLoad: readonly string[],
  fleet: BuildOptions["fleet"],
): Promise<string> {
  const main = findOutput(outputs, ({ entryPoint }) => entryPoint === "src/main.tsx");
  const theme = findOutput(outputs, ({ entryPoint }) => entryPoint === "src/theme.ts");
  const style = findOutput(outputs, ({ entryPoint }) => entryPoint === "src/styles/main.css");
  const preloads = firstLoad
    .filter((path) => path !== main)
    .map((path) => `<link rel="modulepreload" href="/${nameOf(path)}" />`);
  const template = await readFile(join(root, "src/index.html"), "utf8");
  return template
    .replace("%POLICY%", buildPolicy(fleet ? Object.values(fleet.services) : null, true))
    .replace("%THEME%", `/${nameOf(theme)}`)
    .replace("%STYLE%", `/${nameOf(style)}`)
    .replace("%PRELOADS%", preloads.join("\n    "))
    .replace("%MAIN%", `/${nameOf(main)}`);
}

/** Each file appears whole by a rename, the page last, so that a server beside a running build never serves half of one. */
async function writeWhole(path: string, contents: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.draft`;
  await writeFile(draft, contents);
  await rename(draft, path);
}

async function removeOld(outDir: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(join(outDir, "assets"))) {
    if (!kept.has(`assets/${name}`)) await rm(join(outDir, "assets", name), { force: true });
  }
}

/** Builds the page into a folder that any static server can serve, `/*` answered with `index.html`. */
export async function buildDashboard({ outDir, fleet }: BuildOptions): Promise<Built> {
  const { outputFiles, outputs } = await bundle();
  const main = findOutput(outputs, ({ entryPoint }) => entryPoint === "src/main.tsx");
  const firstLoad = staticGraph(outputs, main);
  const encoder = new TextEncoder();
  const contents = new Map(outputFiles.map((file) => [nameOf(relative(root, file.path)), file.contents]));
  contents.set("favicon.svg", await readFile(join(root, "src/favicon.svg")));
  if (fleet)
    contents.set(
      "config.json",
      encoder.encode(JSON.stringify({ fleet: fleet.name, services: fleet.services }, null, 2)),
    );
  contents.set("index.html", encoder.encode(await writePage(outputs, firstLoad, fleet)));
  for (const [path, bytes] of contents) await writeWhole(join(outDir, path), bytes);
  await removeOld(outDir, new Set(contents.keys()));
  const files = [...contents].map(([path, bytes]) => ({ path, sizeBytes: bytes.length, contents: bytes }));
  const theme = findOutput(outputs, ({ entryPoint }) => entryPoint === "src/theme.ts");
  return { files, firstLoad: [...firstLoad, theme].map(nameOf), screens: screenGraphs(outputs, firstLoad) };
}

/** `ORCHESTRATOR_URL`, `LOGGING_URL` … as the fleet of `config.json`; null when not even the orchestrator is named. */
export function readFleet(env: Readonly<Record<string, string | undefined>>): BuildOptions["fleet"] {
  const services: Record<string, string> = {};
  for (const name of ["orchestrator", "logging", "echo-agent", "renderctl", "posthog-watcher", "telegram"]) {
    const url = env[`${name.toUpperCase().replaceAll("-", "_")}_URL`];
    if (url) services[name] = url.replace(/\/+$/, "");
  }
  return services.orchestrator ? { name: env.FLEET_NAME ?? "signalbox", services } : undefined;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const built = await buildDashboard({
    outDir: join(root, "dist"),
    fleet: process.argv.includes("--fleet-from-env") ? readFleet(process.env) : undefined,
  });
  for (const { path, sizeBytes } of built.files) process.stdout.write(`${path} ${sizeBytes}\n`);
}
