import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readCorpus } from "./corpus.ts";

const name = "realThings/one.csv";

async function folderWith(csv: string, labels: Record<string, [string, string][]>) {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-nab-"));
  await mkdir(join(folder, "data", "realThings"), { recursive: true });
  await mkdir(join(folder, "labels"));
  await writeFile(join(folder, "data", name), csv);
  await writeFile(join(folder, "labels", "combined_windows.json"), JSON.stringify(labels));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

const csv = `timestamp,value
2014-04-01 00:00:00,1.5
2014-04-01 00:05:00,2
2014-04-01 00:05:00,3
2014-04-01 00:10:00,-4e2
`;

test("a series has its rows in order, and its windows as rows, both ends inside", async () => {
  const labels: [string, string][] = [["2014-04-01 00:05:00.000000", "2014-04-01 00:05:00.000000"]];
  await using made = await folderWith(csv, { [name]: labels, "realThings/not-here.csv": [] });
  const [series] = await readCorpus(made.folder);
  expect(series?.rows.map(({ value }) => value)).toEqual([1.5, 2, 3, -400]);
  expect(series?.windows).toEqual([{ first: 1, last: 2 }]);
});

test("a window whose end is no row is refused by the name of its file", async () => {
  await using made = await folderWith(csv, { [name]: [["2014-04-01 00:05:00", "2014-04-01 00:06:00"]] });
  await expect(readCorpus(made.folder)).rejects.toThrow(`${name} has a labelled window whose ends are no rows`);
});

test("a line that is no time and number is refused", async () => {
  await using made = await folderWith(`${csv}2014-04-01 00:15:00,\n`, { [name]: [] });
  await expect(readCorpus(made.folder)).rejects.toThrow(`${name} has a line that is no time and number`);
});

test("a folder without labelled series is refused", async () => {
  await using made = await folderWith(csv, {});
  await expect(readCorpus(made.folder)).rejects.toThrow("holds no labelled series");
});
