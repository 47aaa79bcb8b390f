import type { NewLines } from "./new-lines.ts";

/** One run as its agent wrote it down. */
export type AgentRun = {
  taskId: string;
  attempt: number;
  key: string | null;
  begunAt: number;
  answeredAt: number | null;
};

export type AgentRuns = { runs: Map<string, AgentRun>; twice: string[] };

export const runName = (taskId: string, attempt: number) => `${taskId} ${attempt}`;

/** What all agents have written since the last look; `twice` names attempts that were begun more than once. */
export async function readRuns(lines: NewLines, files: readonly string[]): Promise<AgentRuns> {
  const found: AgentRuns = { runs: new Map(), twice: [] };
  for (const file of files) for (const line of await lines.read(file)) takeLine(found, line);
  return found;
}

function takeLine({ runs, twice }: AgentRuns, line: string): void {
  const [letter, taskId = "", attempt = "", word = "", at = ""] = line.split(" ");
  const name = `${taskId} ${attempt}`;
  const run = runs.get(name);
  if (letter === "e") {
    if (run && word === "answered") run.answeredAt = Number(at);
    return;
  }
  if (run) twice.push(name);
  const key = word === "-" ? null : word;
  runs.set(name, { taskId, attempt: Number(attempt), key, begunAt: Number(at), answeredAt: null });
}
