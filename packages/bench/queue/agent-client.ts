import { Pool } from "undici";
import type { Payload } from "./contestant.ts";

/** Calls the agent as a user of a library would, over connections that are kept. */
export type AgentClient = { run(task: { id: string; payload: Payload }): Promise<unknown>; close(): Promise<void> };

const connections = 128;

export function openAgentClient(url: string): AgentClient {
  const pool = new Pool(url, { connections, pipelining: 1 });
  return {
    async run({ id, payload }) {
      const { statusCode, body } = await pool.request({
        method: "POST",
        path: "/run",
        headers: { "content-type": "application/json", "x-task-id": id },
        body: JSON.stringify({ taskId: id, payload }),
      });
      const { result } = (await body.json()) as { result?: { echo?: unknown } };
      if (statusCode !== 200 || result?.echo === undefined) throw new Error(`the agent answered ${statusCode}`);
      return result;
    },
    close: () => pool.close(),
  };
}
