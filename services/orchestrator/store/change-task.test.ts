import { expect, test } from "vitest";
import { planDecision } from "../approval.ts";
import type { Refusal } from "../patch.ts";
import { openStore } from "../store.fixture.ts";

test.concurrent("a yes that comes after the approval has expired is none, though nobody has failed the task yet", async () => {
  await using box = await openStore();
  const { id } = await box.insert({ approval: { reason: null, expiresInSeconds: 600 } });
  const decision = { verdict: "approve", ifVersion: 1, note: null, actor: "person:tester" } as const;
  const approve = () =>
    box.store.changeTask<Refusal>(id, "person:tester", ({ task, isLate }) =>
      planDecision(task, { ...decision, isLate }),
    );
  await box.pool.query("update tasks set waits_until = now() - interval '1 second'");
  expect(await approve()).toMatchObject({ kind: "refused", because: { code: "illegal_transition" } });
  await box.pool.query("update tasks set waits_until = now() + interval '10 minutes'");
  expect(await approve()).toMatchObject({ kind: "changed", task: { status: "queued" } });
});
