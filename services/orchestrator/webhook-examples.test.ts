import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { startOrchestrator } from "./orchestrator.fixture.ts";
import { deliver, nowhere, withSecret } from "./webhooks.fixture.ts";

type Example = { name: string; payload: Record<string, unknown> };

/** Payloads that GitHub really sent, of every event. */
async function readExamples(): Promise<Example[]> {
  const path = createRequire(import.meta.url).resolve("@octokit/webhooks-examples");
  const events = JSON.parse(await readFile(path, "utf8")) as { name: string; examples: Record<string, unknown>[] }[];
  return events.flatMap(({ name, examples }) => examples.map((payload) => ({ name, payload })));
}

const taken = ["push", "pull_request", "issues", "issue_comment"];

function isTaken({ name, payload }: Example): boolean {
  const run = payload.workflow_run as { conclusion?: string } | undefined;
  return taken.includes(name) || (name === "workflow_run" && run?.conclusion === "failure");
}

test("every payload that GitHub publishes is judged, stored, and makes a task where the shipped rules say so", async () => {
  const examples = await readExamples();
  expect(examples.length).toBeGreaterThan(300);
  await using box = await startOrchestrator({ env: withSecret });
  await box.register(nowhere, [{ type: "github.event" }]);
  const ids = new Map(examples.map((example) => [randomUUID(), example]));
  const waiting = [...ids];
  const wrong: unknown[] = [];
  async function send(): Promise<void> {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [id, example] = next;
      const { status, body } = await deliver(box, example.payload, { event: example.name, id });
      const isRight = isTaken(example) ? status === 202 && body.tasks.length === 1 : status === 200;
      if (!isRight) wrong.push({ event: example.name, status, body });
    }
  }
  await Promise.all([1, 2, 3, 4].map(send));
  expect(wrong).toEqual([]);

  const { rows } = await box.database.pool.query(
    "select d.delivery_id, d.outcome, d.body, t.payload from webhook_deliveries d left join webhook_tasks w on w.delivery_id = d.id left join tasks t on t.id = w.task_id",
  );
  expect(rows).toHaveLength(examples.length);
  for (const row of rows) {
    const example = ids.get(row.delivery_id);
    expect(JSON.parse(row.body.toString("utf8"))).toEqual(example?.payload);
    expect(["accepted", "ignored", "ping"]).toContain(row.outcome);
    const repository = example?.payload.repository as { full_name: string };
    if (row.payload !== null)
      expect(row.payload).toMatchObject({ event: example?.name, repository: repository.full_name });
  }
});
