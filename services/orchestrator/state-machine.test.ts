import type { TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { checkLedger } from "@signalbox/testing/ledger-check.ts";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type AgentCall,
  reply as answer,
  type Orchestrator,
  startAgent,
  startOrchestrator,
} from "./orchestrator.fixture.ts";
import { apply, born, type Expected, type Model, type Op, type Sight } from "./state-machine.fixture.ts";

/*
 * Random operations of people, agents and time on real tasks, against a model that was written from the contract: after each of
 * them status, version, attempts, events and the answer must be those of the model.
 */

let box: Orchestrator;
let agent: Awaited<ReturnType<typeof startAgent>>;
const held = new Map<string, AgentCall>();

beforeAll(async () => {
  box = await startOrchestrator();
  agent = await startAgent((call) => {
    held.set(`${call.taskId} ${call.attempt}`, call);
  });
});

afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await box[Symbol.asyncDispose]();
});

const sight = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Sight>("right") },
  { weight: 1, arbitrary: fc.constantFrom<Sight>("stale", "missing") },
);
const attempt = fc.oneof(
  { weight: 4, arbitrary: fc.constant("right" as const) },
  { weight: 1, arbitrary: fc.constant("wrong" as const) },
);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const operations: { weight: number; arbitrary: fc.Arbitrary<Op> }[] = [
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("create" as const),
      approval: fc.boolean(),
      later: fc.boolean(),
      maxAttempts: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("patch" as const),
      sight,
      status: optional(fc.constantFrom("queued", "running", "waiting", "completed", "failed", "canceled")),
      waitingFor: optional(fc.constantFrom("approval", "input")),
      priority: optional(fc.integer({ min: -2, max: 2 })),
      runAt: optional(fc.constantFrom("now", "later")),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ op: "cancel" }) },
  { weight: 4, arbitrary: fc.constant({ op: "retry" }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constantFrom("approve", "reject", "input"),
      sight,
      as: fc.oneof(
        { weight: 6, arbitrary: fc.constant("person" as const) },
        { weight: 1, arbitrary: fc.constant("service" as const) },
      ),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("answer" as const),
      answer: fc.constantFrom("result", "input", "approval", "later", "refuse", "fail"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("end" as const),
      attempt,
      status: fc.constantFrom("completed", "failed", "canceled"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom("progress", "note"), attempt }) },
  { weight: 4, arbitrary: fc.constant({ op: "expire" }) },
  { weight: 1, arbitrary: fc.constant({ op: "silence" }) },
];

const steps = fc.array(fc.record({ slot: fc.integer({ min: 0, max: 2 }), op: fc.oneof(...operations) }), {
  minLength: 5,
  maxLength: 25,
});

type Subject = { id: string; model: Model };

let instants = 0;
/** Never the same twice, so that each is a change. */
const toInstant = (when: "now" | "later") =>
  new Date((when === "now" ? Date.now() - 60_000 : Date.UTC(2199)) - instants++).toISOString();

async function create(op: Extract<Op, { op: "create" }>): Promise<Subject> {
  const { id } = await box.post({
    type: "work",
    maxAttempts: op.maxAttempts,
    timeoutMs: 600_000,
    ...(op.later && { runAt: toInstant("later") }),
    ...(op.approval && { approval: { required: true, expiresInSeconds: 3_600 } }),
  });
  return { id, model: born(op) };
}

/** Does to the real task what the operation says; what was answered. */
async function perform({ id, model }: Subject, op: Exclude<Op, { op: "create" }>): Promise<Expected> {
  const post = (path: string, body: unknown, as: "person" | "service" = "person") =>
    ask("POST", `/task/${id}${path}`, body, as);
  const version = model.version;
  switch (op.op) {
    case "patch": {
      const { op: _op, sight: seen, runAt, ...patch } = op;
      const body = { ...seenAs(seen, version), ...patch, ...(runAt && { runAt: toInstant(runAt) }) };
      return ask("PATCH", `/task/${id}`, body, "person");
    }
    case "cancel":
    case "retry":
      return post(`/${op.op}`, {});
    case "approve":
    case "reject":
      return post(`/${op.op}`, seenAs(op.sight, version), op.as);
    case "input":
      return post("/input", { ...seenAs(op.sight, version), input: "yes" }, op.as);
    case "end":
      return ask("PATCH", `/task/${id}`, { attempt: toAttempt(model, op.attempt), status: op.status }, "service");
    case "progress":
      return post("/progress", { attempt: toAttempt(model, op.attempt), message: "on it" }, "service");
    case "note":
      return post("/events", { attempt: toAttempt(model, op.attempt), kind: "note", data: {} }, "service");
    case "answer":
      if (model.status === "running" && !model.isDeferred) await answerHeld(`${id} ${model.attempt}`, op.answer);
      return null;
    case "expire":
      return expire(id);
    case "silence":
      if (model.status === "running" && model.isDeferred) await fallSilent(id);
      return null;
  }
}

async function ask(method: string, path: string, body: unknown, as: "person" | "service"): Promise<Expected> {
  const reply = await box.call(path, { method, body, as });
  return reply.status < 400 ? { status: reply.status } : { status: reply.status, code: reply.body.error.code };
}

function seenAs(seen: Sight, version: number): { ifVersion?: number } {
  return seen === "missing" ? {} : { ifVersion: seen === "right" ? version : version + 1 };
}

const toAttempt = (model: Model, which: "right" | "wrong") => Math.max(1, model.attempt) + (which === "wrong" ? 1 : 0);

async function answerHeld(name: string, kind: Extract<Op, { op: "answer" }>["answer"]): Promise<void> {
  const { response } = await eventually(() => held.get(name), { everyMs: 2, what: `the run ${name}` });
  const error = { error: { code: "as_asked", message: "as asked" } };
  if (kind === "result") answer(response, 200, { result: 1 });
  else if (kind === "later") answer(response, 202, {});
  else if (kind === "refuse") answer(response, 422, error);
  else if (kind === "fail") answer(response, 503, error, { "retry-after": "3600" });
  else answer(response, 200, { waiting: { for: kind, prompt: "?" } });
}

/** Ages the approval, and one of a task beside it: when that one has expired, this one has been looked at. */
async function expire(id: string): Promise<null> {
  const beside = await box.post({ type: "work", approval: { required: true, expiresInSeconds: 3_600 } });
  await box.database.pool.query(
    "update tasks set waits_until = now() - interval '1 h' where id = any ($1::uuid[]) and waits_until is not null",
    [[id, beside.id]],
  );
  await wakeTimers();
  await box.until(beside.id, (task) => task.status === "failed", "the approval beside it");
  return null;
}

/** Ages the lease of a deferred run, and the rest that its task takes when it was taken up. */
async function fallSilent(id: string): Promise<void> {
  const age = async () =>
    (
      await box.database.pool.query(
        "update tasks set lease_until = now() - interval '1 s' where id = $1 and status = 'running' and lease_owner is null",
        [id],
      )
    ).rowCount === 1;
  await eventually(age, { what: "a run that was deferred" });
  await box.until(id, (task) =>
    task.events.some(({ kind }, at) => kind === "lease_expired" && at >= task.events.length - 3),
  );
  const { rowCount } = await box.database.pool.query(
    "update tasks set run_at = now() where id = $1 and status = 'queued' and not ready",
    [id],
  );
  if (rowCount === 1) await wakeTimers();
}

/** A task with a time of its own lets them look again. */
async function wakeTimers(): Promise<void> {
  const { id } = await box.post({ type: "work", runAt: toInstant("later") });
  await ask("POST", `/task/${id}/cancel`, {}, "person");
}

const cancel = ({ id }: Subject) => ask("POST", `/task/${id}/cancel`, {}, "person");

const shown = ({
  status,
  waitingFor,
  version,
  attempt: number,
  maxAttempts,
  priority,
  events,
}: TaskWithEvents | Model) => ({
  status,
  waitingFor,
  version,
  attempt: number,
  maxAttempts,
  priority,
  events: events.map(({ kind, version: at }) => `${kind} ${at}`),
});

async function compare({ id, model }: Subject, what: string): Promise<void> {
  const isThere = async () => {
    const task = await box.get(id);
    return task.events.length >= model.events.length && task.version >= model.version && task;
  };
  const task = await eventually(isThere, { timeoutMs: 30_000, everyMs: 3, what: "the model's state" }).catch(() =>
    box.get(id),
  );
  expect(shown(task), what).toEqual(shown(model));
}

type Step = { slot: number; op: Op };

const plain: Extract<Op, { op: "create" }> = { op: "create", approval: false, later: false, maxAttempts: 2 };

async function play(list: readonly Step[]): Promise<void> {
  // As its heartbeat: without one it is stale half a minute later.
  await box.register(agent, [{ maxConcurrency: 1_000 }]);
  const subjects = new Map<number, Subject>();
  for (const { slot, op } of list) {
    const subject = subjects.get(slot);
    if (subject && op.op !== "create") await take(subject, op);
    else {
      if (subject) await cancel(subject);
      const made = await create(op.op === "create" ? op : plain);
      subjects.set(slot, made);
      await compare(made, JSON.stringify(op));
    }
  }
  for (const subject of subjects.values()) await cancel(subject);
}

async function take(subject: Subject, op: Exclude<Op, { op: "create" }>): Promise<void> {
  const what = `${JSON.stringify(op)} on ${JSON.stringify(shown(subject.model))}`;
  const answered = await perform(subject, op);
  expect(answered, what).toEqual(apply(subject.model, op));
  await compare(subject, what);
}

test("whatever people, agents and time do to tasks, they answer and end as the contract says", async () => {
  const numRuns = Number(process.env.SIGNALBOX_TEST_RUNS ?? 40);
  await fc.assert(fc.asyncProperty(steps, play), { numRuns });
  expect(await checkLedger(box.database.pool, [])).toEqual([]);
}, 180_000);
