import { setTimeout as pause } from "node:timers/promises";
import type { Task, TaskList } from "@signalbox/common/contracts/task.ts";
import type { Dice } from "@signalbox/testing/dice.ts";
import type { Client } from "./client.ts";
import type { History } from "./history.ts";
import type { World } from "./world.ts";

/*
 * People who decide what waits for them: they approve most, reject some, and answer questions, each decision bound to the version
 * that they saw. What is marked `undecided` they leave alone until it expires.
 */

export type People = { stop(): Promise<void> };

const lookEveryMs = 300;

export function startPeople(world: World, round: string, history: History): People {
  const stopping = new AbortController();
  const client = world.client("people", round);
  const dice = world.dice("people", round);
  const running = decideAll({ client, dice, history }, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

type Scene = { client: Client; dice: Dice; history: History };

async function decideAll(scene: Scene, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const tasks = await listWaiting(scene.client);
    await Promise.all(tasks.filter(isForPeople).map((task) => decide(scene, task)));
    await pause(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

async function listWaiting(client: Client): Promise<Task[]> {
  const reply = await client.once<TaskList>("/tasks?status=waiting&limit=100");
  return reply?.status === 200 ? reply.body.items : [];
}

function isForPeople({ payload, approval }: Task): boolean {
  const { undecided } = payload as { undecided?: boolean };
  return undecided !== true || approval?.expiresAt == null;
}

async function decide({ client, dice, history }: Scene, task: Task): Promise<void> {
  const isRejected = task.waitingFor === "approval" && dice.percent(15);
  const verb = task.waitingFor === "input" ? "input" : isRejected ? "reject" : "approve";
  const body = { ifVersion: task.version, ...(verb === "input" && { input: "yes" }) };
  const reply = await client.once(`/task/${task.id}/${verb}`, { method: "POST", body });
  if (reply === null || reply.status >= 500) return;
  if (reply.status === 200) {
    history.changed(
      task.id,
      reply.body.version,
      { input: "input_received", reject: "rejected", approve: "approved" }[verb],
    );
  } else if (reply.status !== 409 && reply.status !== 422)
    history.odd(`${verb} of ${task.id} was answered with ${reply.status}: ${reply.text.slice(0, 200)}`);
}

/** Lets nothing wait for its next attempt any longer: what a person does who has mended the cause. */
export async function hurry(client: Client, history: History): Promise<void> {
  const reply = await client.once<TaskList>("/tasks?status=queued&limit=200");
  const tasks = reply?.status === 200 ? reply.body.items : [];
  const soon = Date.now() + 300;
  await Promise.all(
    tasks
      .filter(({ runAt }) => Date.parse(runAt) > soon)
      .map(async ({ id, version }) => {
        const body = { ifVersion: version, runAt: new Date().toISOString() };
        const patched = await client.once(`/task/${id}`, { method: "PATCH", body });
        if (patched?.status === 200) history.changed(id, patched.body.version, "patched");
      }),
  );
}
