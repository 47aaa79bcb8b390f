import { setTimeout as pause } from "node:timers/promises";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { type Fault, lasting, type Scene } from "../scene.ts";
import { type HeldCall, startHeldAgent } from "./held-agent.ts";

const rubbish = [
  ...["truncated", "short", "huge", "redirect", "shape", "list", "html", "headers", "drip", "silent", "empty"],
  ...["cut", "infinite", "nul", "surrogate", "deep", "error", "bare"],
];

/** How the tasks of an agent that answers rubbish may end: with an error of their own, or well once it was mended. */
const rubbishCodes = /^(?:bad_answer|agent_timeout|agent_unreachable|agent_\d+|broken)$/;

/** Milliseconds from the creation to the end that nine of ten quick tasks needed, in a span. */
async function quickMs({ world }: Scene, since: Date): Promise<number | null> {
  const [row] = await world.query<{ ms: number | null }>(
    `select percentile_cont(0.9) within group (order by extract(epoch from finished_at - created_at) * 1000) as ms
       from tasks where type = 'quick' and payload->>'kind' = 'quick' and created_at > $1 and status = 'completed'`,
    [since],
  );
  return row?.ms ?? null;
}

async function judgeRubbish({ world }: Scene, ids: readonly string[]): Promise<void> {
  const rows = await world.query<{ id: string; status: string; how: string; code: string | null; result: unknown }>(
    "select id, status, payload->>'how' as how, error->>'code' as code, result from tasks where id = any ($1::uuid[])",
    [ids],
  );
  for (const { id, status, how, code, result } of rows) {
    const isMended = status === "completed" && result === "well";
    const isRefused = status === "failed" && rubbishCodes.test(code ?? "");
    if (!isMended && !isRefused)
      world.violate("rubbish", `task ${id} (${how}) is ${status} ${code}: ${JSON.stringify(result)?.slice(0, 80)}`);
  }
}

const rubbishAgent: Fault = {
  name: "rubbish-agent",
  about: "truncated JSON, a body of 1 GB, redirects, wrong shapes, headers without a body, 1 byte a second, silence",
  async inject(scene) {
    const { world, dice, label } = scene;
    const client = world.client("rubbish", label);
    const begun = new Date(Date.now() - 2_000);
    const before = await quickMs(scene, begun);
    const since = new Date();
    const ids: string[] = [];
    for (const how of dice.shuffle(rubbish)) {
      const body = { type: "crooked", payload: { kind: "crooked", how }, maxAttempts: 2, timeoutMs: 3_000 };
      const reply = await client.persist("/task", { method: "POST", body, giveUpMs: 20_000 });
      if (reply?.status === 201) ids.push(reply.body.id);
      scene.injected(`an agent that answers: ${how}`);
      await lasting(300);
    }
    await lasting(6_000);
    const during = await quickMs(scene, since);
    world.say(`  quick tasks took ${before?.toFixed(0)} ms before and ${during?.toFixed(0)} ms meanwhile (p90)`);
    if ((during ?? 0) > 1.5 * (before ?? 0) + 750)
      world.violate("rubbish", `quick tasks took ${during} ms instead of ${before} ms`);
    await world.crooked.end("SIGTERM");
    await world.crooked.start({ env: { CROOKED_MODE: "well" } });
    const open = async () => {
      const [row] = await world.query<{ n: number }>(
        "select count(*)::int as n from tasks where id = any ($1::uuid[]) and finished_at is null",
        [ids],
      );
      return row?.n ?? 0;
    };
    for (let waited = 0; waited < 120 && (await open()) > 0; waited++) await pause(1_000);
    await judgeRubbish(scene, ids);
  },
};

type Story = { scene: Scene; task: Task; call: HeldCall; next: () => Promise<HeldCall> };

/** Each is played against a task whose first attempt has just been called; what comes late must change nothing. */
const stories: Record<string, (story: Story) => Promise<void>> = {
  "an end twice": async (story) => {
    await expectPatch(story, 1, 200);
    await expectPatch(story, 1, 409);
  },
  "an end after a cancel": async (story) => {
    await act(story, "cancel");
    await expectPatch(story, 1, 409);
  },
  "an end of the attempt before": async (story) => {
    story.call.answer(503, { error: { code: "later", message: "as asked" } });
    const second = await story.next();
    await expectPatch(story, 1, 409);
    second.answer(200, { result: 2 });
  },
  "an end of the first run after a retry": async (story) => {
    await expectPatch(story, 1, 200);
    await act(story, "retry");
    const second = await story.next();
    await expectPatch(story, 1, 409);
    second.answer(200, { result: 2 });
  },
  "progress after the end": async (story) => {
    story.call.answer(200, { result: 1 });
    await untilEnded(story);
    await expectStatus(story, "/progress", { attempt: 1, message: "still here" }, 409);
  },
  "ends at all orchestrators at once": async (story) => {
    const { scene, task } = story;
    const bases = scene.world.orchestrators.flatMap(({ url }) => [url, url]);
    const client = scene.world.client("late", task.id);
    const body = { attempt: 1, status: "completed", result: 1 };
    const ask = (base: string) => client.once(`/task/${task.id}`, { method: "PATCH", as: "service", body, base });
    const statuses = (await Promise.all(bases.map(ask))).map((reply) => reply?.status);
    const wins = statuses.filter((status) => status === 200).length;
    if (wins !== 1) scene.world.violate("late", `task ${task.id} was ended ${wins} times: ${statuses.join()}`);
  },
};

async function expectPatch(story: Story, attempt: number, status: number): Promise<void> {
  await expectStatus(story, "", { attempt, status: "completed", result: attempt }, status);
}

async function expectStatus({ scene, task }: Story, path: string, body: unknown, status: number): Promise<void> {
  const client = scene.world.client("late", task.id, path);
  const before = await client.persist(`/task/${task.id}`, { giveUpMs: 20_000 });
  const method = path === "" ? "PATCH" : "POST";
  const reply = await client.persist(`/task/${task.id}${path}`, { method, as: "service", body, giveUpMs: 20_000 });
  const after = await client.persist(`/task/${task.id}`, { giveUpMs: 20_000 });
  const isRight = reply?.status === status && (status !== 409 || reply.body.error.code === "lease_lost");
  if (!isRight)
    scene.world.violate("late", `${method} ${path} of ${task.id}: ${reply?.status} ${reply?.text.slice(0, 100)}`);
  if (status === 409 && before?.body.version !== after?.body.version)
    scene.world.violate("late", `task ${task.id} was changed by what came late`);
}

async function act({ scene, task }: Story, verb: "cancel" | "retry"): Promise<void> {
  const client = scene.world.client("late", task.id, verb);
  const reply = await client.persist(`/task/${task.id}/${verb}`, { method: "POST", giveUpMs: 20_000 });
  if (reply?.status !== 200) scene.world.violate("late", `${verb} of ${task.id}: ${reply?.status}`);
}

async function untilEnded({ scene, task }: Story): Promise<void> {
  const client = scene.world.client("late", task.id, "end");
  for (let tries = 0; tries < 200; tries++) {
    const reply = await client.once(`/task/${task.id}`);
    if (reply?.body?.finishedAt) return;
    await pause(50);
  }
}

const lateResults: Fault = {
  name: "late-results",
  about: "ends that come twice, after a cancel, for the attempt before, after a retry, at all orchestrators at once",
  async inject(scene) {
    const { world, dice, label } = scene;
    await using agent = await startHeldAgent(world);
    const client = world.client("held", label);
    for (const name of dice.shuffle([...Object.keys(stories), ...Object.keys(stories)])) {
      const body = { type: "held", payload: { kind: "held" }, maxAttempts: 5, timeoutMs: 20_000 };
      const reply = await client.persist("/task", { method: "POST", body, giveUpMs: 20_000 });
      if (reply === null) throw new Error("nobody took the task");
      const task = reply.body;
      const next = () => agent.nextCall(task.id);
      await stories[name]?.({ scene, task, call: await next(), next });
      scene.injected(name);
    }
  },
};

export const agentFaults = [rubbishAgent, lateResults];
