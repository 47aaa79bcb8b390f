import type { Task } from "@signalbox/common/contracts/task.ts";
import type { Client } from "../client.ts";
import type { Wish } from "../kinds.ts";
import { databaseNow, type Fault, judgeTakeOver, lasting, leasesOf, type Scene, untilBusy } from "../scene.ts";

const keys = 50;
const perKey = 40;
const patience = { maxAttempts: 25, timeoutMs: 5_000 };

type Lane = { scene: Scene; client: Client; key: string };

function toWish(key: string, at: number, nonce: string, ms: number): Wish {
  const payload = { nonce, kind: "line", key, at, ms };
  return { kind: "line", ends: ["completed"], body: { ...patience, type: "line", concurrencyKey: key, payload } };
}

/** Posts a task of the lane's key and knows its place: the next is only posted when this one was acknowledged. */
async function post({ scene, client, key }: Lane, at: number, ms: number): Promise<Task | null> {
  const nonce = `${key}-${at}`;
  const wish = toWish(key, at, nonce, ms);
  const asked = scene.history.asked(nonce, -1, wish);
  const headers = { "idempotency-key": nonce };
  const reply = await client.persist("/task", {
    method: "POST",
    body: wish.body,
    headers,
    giveUpMs: 90_000,
    timeoutMs: 6_000,
  });
  if (reply === null || reply.status > 201) {
    scene.history.odd(`the post ${nonce} was answered with ${reply?.status}`);
    return null;
  }
  asked.acknowledged = true;
  asked.ids.add(reply.body.id);
  return reply.body;
}

async function postLane(lane: Lane): Promise<void> {
  for (let at = 0; at < perKey; at++) {
    const { dice } = lane.scene;
    await post(lane, at, dice.percent(10) ? dice.between(500, 1_500) : dice.between(20, 120));
  }
}

function openLanes(scene: Scene, count: number): Lane[] {
  return Array.from({ length: count }, (_, number) => {
    const key = `${scene.label}-key-${number}`;
    return { scene, key, client: scene.world.client("lane", key) };
  });
}

const twoOrchestrators: Fault = {
  name: "two-thousand",
  about:
    "2,000 tasks of 50 keys with two orchestrators, one of them killed and one stopped past its lease, then resumed",
  isQuiet: true,
  async inject(scene) {
    const { world, dice } = scene;
    const [killed, stopped, ...others] = dice.shuffle(world.orchestrators);
    const leaving = Promise.all(others.map((member) => member.end("SIGTERM")));
    const lanes = Promise.all(openLanes(scene, keys).map(postLane));
    scene.injected(
      `${keys * perKey} tasks of ${keys} keys, ${world.orchestrators.length - others.length} orchestrators`,
    );
    await lasting(dice.between(2_500, 4_000));
    if (!killed || !stopped) throw new Error("this needs two orchestrators");
    await untilBusy(scene, killed, 8);
    const since = await databaseNow(world);
    const held = await leasesOf(world, killed.pid);
    await killed.end("SIGKILL");
    scene.killed.add(killed.name);
    scene.injected(`SIGKILL of ${killed.name} with ${held.length} runs`);
    await untilBusy(scene, stopped, 8);
    stopped.freeze();
    const frozen = await leasesOf(world, stopped.pid);
    scene.injected(`SIGSTOP of ${stopped.name} with ${frozen.length} runs`);
    await lasting(dice.between(500, 2_500));
    await killed.start();
    await lasting(dice.between(33_000, 36_000));
    await judgeTakeOver(scene, [...held, ...frozen], since);
    stopped.thaw();
    scene.injected(`SIGCONT of ${stopped.name}`);
    await Promise.all([lanes, leaving]);
  },
};

/** An old task of a key is tried again while a later one of that key runs, from everywhere at once. */
async function raceInLine(lane: Lane): Promise<void> {
  const { scene, client } = lane;
  const first = await post(lane, 0, 10);
  await post(lane, 1, 600);
  if (first === null) return;
  scene.history.touched.add(first.id);
  await post(lane, 2, 10);
  for (let round = 0; round < 4; round++) {
    const bases = scene.world.orchestrators.map(({ url }) => url);
    const tries = bases.map((base) => client.once(`/task/${first.id}/retry`, { method: "POST", base }));
    const replies = (await Promise.all(tries)).filter((reply) => reply !== null);
    // Both may be right, one after the other, but then each has a version of its own.
    const versions = replies.filter(({ status }) => status === 200).map(({ body }) => body.version);
    for (const version of versions) scene.history.changed(first.id, version, "patched");
    const odd = replies.find(({ status }) => ![200, 422, 503].includes(status));
    if (odd || new Set(versions).size < versions.length)
      scene.world.violate(
        "I2",
        `retries of ${first.id} were answered with ${replies.map(({ text }) => text.slice(0, 60))}`,
      );
    await lasting(scene.dice.between(50, 400));
  }
}

const retryInLine: Fault = {
  name: "retry-in-line",
  about: "old tasks of a key retried, at all orchestrators at once, while later ones of the key run",
  async inject(scene) {
    const lanes = openLanes(scene, 20);
    scene.injected(`${lanes.length} keys`);
    await Promise.all(lanes.map(raceInLine));
  },
};

export const lineFaults = [twoOrchestrators, retryInLine];
