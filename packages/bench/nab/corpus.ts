import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { Window } from "./score.ts";

export type Row = { at: number; value: number };
export type Series = { name: string; rows: Row[]; windows: Window[] };

/**
 * Every labelled series of a folder that is laid out as the benchmark's own repository: `data/<category>/<file>.csv` and
 * `labels/combined_windows.json`. Labels without a file are left out, so that a part of the corpus can be measured.
 *
 * @throws when there is nothing to measure, or a window's end is no row of its file
 */
export async function readCorpus(folder: string): Promise<Series[]> {
  const labels = parseLabels(await readFile(join(folder, "labels", "combined_windows.json"), "utf8"));
  const names = (await listFiles(join(folder, "data"))).filter((name) => name in labels).sort();
  if (names.length === 0) throw new Error(`${folder} holds no labelled series: data/<category>/<file>.csv`);
  return Promise.all(names.map((name) => readSeries(folder, name, labels[name] ?? [])));
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".csv"))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

function parseLabels(text: string): Record<string, [string, string][]> {
  return JSON.parse(text) as Record<string, [string, string][]>;
}

async function readSeries(folder: string, name: string, labels: readonly [string, string][]): Promise<Series> {
  const lines = (await readFile(join(folder, "data", name), "utf8")).split("\n").slice(1);
  const rows = lines.filter((line) => line.trim() !== "").map((line) => parseRow(line, name));
  const windows = labels.map(([from, to]) => toWindow(rows, { name, from: parseTime(from), to: parseTime(to) }));
  return { name, rows, windows: windows.sort((a, b) => a.first - b.first) };
}

function parseRow(line: string, name: string): Row {
  const [time = "", text = ""] = line.split(",");
  const row = { at: parseTime(time), value: Number(text) };
  if (Number.isNaN(row.at) || text.trim() === "" || !Number.isFinite(row.value)) {
    throw new Error(`${name} has a line that is no time and number: ${line.slice(0, 60)}`);
  }
  return row;
}

/** The corpus has local times without a zone; read as UTC they keep their order and their time of day. */
function parseTime(text: string): number {
  return Date.parse(`${text.trim().slice(0, 19).replace(" ", "T")}Z`);
}

function toWindow(rows: readonly Row[], { name, from, to }: { name: string; from: number; to: number }): Window {
  const first = rows.findIndex(({ at }) => at === from);
  const last = rows.findLastIndex(({ at }) => at === to);
  if (first < 0 || last < first) throw new Error(`${name} has a labelled window whose ends are no rows of it`);
  return { first, last };
}
