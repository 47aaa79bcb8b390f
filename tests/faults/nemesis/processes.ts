import type { Member } from "../member.ts";
import {
  databaseNow,
  type Fault,
  judgeTakeOver,
  killAndRestart,
  lasting,
  leasesOf,
  type Scene,
  untilBusy,
} from "../scene.ts";

/** Longer than a lease (30 s), so that others have taken up everything when it wakes. */
const pastLeaseMs = { from: 33_000, to: 36_000 };

/** After its statement was seen on its way: the moments in which most can go wrong. */
const moments = [
  { text: "claim_tasks", cut: "after", about: "after its claim, before it knew of it" },
  { text: "claim_tasks", cut: "before", about: "before its claim" },
  { text: "finish_attempts", cut: "before", about: "before it wrote the ends of runs" },
  { text: "finish_attempts", cut: "after", about: "after the ends of runs were written, before it knew of it" },
  { text: "insert_tasks", cut: "after", about: "after a task was stored, before it was acknowledged" },
] as const;

const trapMs = 15_000;

/** Kills the orchestrator in the moment in which a certain statement passes. */
async function killAtMoment(scene: Scene, at: number): Promise<void> {
  const { world, dice } = scene;
  const victim = world.orchestrators[at] as Member;
  const net = world.databaseNets[at];
  const moment = dice.pick(moments);
  const nth = dice.between(1, 12);
  const onSprung = () => victim.endNow("SIGKILL");
  const isSprung = await net?.trap({ ...moment, nth, onSprung }, AbortSignal.timeout(trapMs));
  await victim.end("SIGKILL");
  scene.killed.add(victim.name);
  scene.injected(
    `SIGKILL of ${victim.name} ${isSprung ? `${moment.about}, the ${nth}th time` : "(its moment did not come)"}`,
  );
  await lasting(dice.between(300, 2_000));
  await victim.start();
}

const killOrchestrator: Fault = {
  name: "kill-orchestrator",
  about:
    "SIGKILL of orchestrators at random moments and around claims, ends of runs and inserts; back after a second or two",
  async inject(scene) {
    const { world, dice } = scene;
    const at = dice.between(0, world.orchestrators.length - 1);
    const victim = world.orchestrators[at] as Member;
    await untilBusy(scene, victim, 4);
    const held = await leasesOf(world, victim.pid);
    const since = await databaseNow(world);
    await killAndRestart(scene, victim);
    for (let times = dice.between(2, 3); times > 0; times--) {
      await killAtMoment(scene, dice.between(0, world.orchestrators.length - 1));
      await lasting(dice.between(500, 2_000));
    }
    await lasting(Math.max(0, 36_000 - ((await databaseNow(world)).getTime() - since.getTime())));
    await judgeTakeOver(scene, held, since);
  },
};

const killAgent: Fault = {
  name: "kill-agent",
  about: "SIGKILL of agents with runs under way",
  async inject(scene) {
    for (let times = 3; times > 0; times--) await killAndRestart(scene, scene.dice.pick(scene.world.workers));
  },
};

const killLogging: Fault = {
  name: "kill-logging",
  about: "SIGKILL of the logging service; senders buffer and resend",
  async inject(scene) {
    for (let times = 2; times > 0; times--) {
      await killAndRestart(scene, scene.world.logging);
      await lasting(1_000);
    }
  },
};

const freezeOrchestrator: Fault = {
  name: "freeze-orchestrator",
  about: "SIGSTOP of an orchestrator with calls in flight until others have taken up its runs, then SIGCONT",
  async inject(scene) {
    const { world, dice } = scene;
    const victim = dice.pick(world.orchestrators);
    await untilBusy(scene, victim, 4);
    const since = await databaseNow(world);
    victim.freeze();
    const held = await leasesOf(world, victim.pid);
    scene.injected(`SIGSTOP of ${victim.name}`);
    await lasting(dice.between(pastLeaseMs.from, pastLeaseMs.to));
    await judgeTakeOver(scene, held, since);
    victim.thaw();
    await lasting(2_000);
  },
};

const freezeAgent: Fault = {
  name: "freeze-agent",
  about: "SIGSTOP of an agent for longer than its runs may take, then SIGCONT; the others keep their rate",
  async inject(scene) {
    const { world, dice } = scene;
    const victim = dice.pick(world.workers);
    victim.freeze();
    scene.injected(`SIGSTOP of ${victim.name}`);
    await lasting(dice.between(9_000, 14_000));
    victim.thaw();
    await lasting(1_000);
  },
};

const deploy: Fault = {
  name: "deploy",
  about: "SIGTERM and a new start of everything, one after the other, under load",
  async inject(scene) {
    const { world, dice } = scene;
    for (const member of dice.shuffle([...world.orchestrators, ...world.workers, world.logging])) {
      const startedAt = performance.now();
      const { code, signal } = await member.end("SIGTERM");
      const seconds = (performance.now() - startedAt) / 1_000;
      scene.injected(`SIGTERM of ${member.name}, gone after ${seconds.toFixed(1)} s`);
      if (code !== 0) world.violate("deploy", `${member.name} ended with ${signal ?? code} at SIGTERM`);
      if (seconds > 25) world.violate("deploy", `${member.name} took ${seconds.toFixed(1)} s to end`);
      await member.start();
      await lasting(300);
    }
  },
};

const clocks: Fault = {
  name: "clocks",
  about: "orchestrators, an agent and logging with wall clocks that are an hour off, each another way",
  async inject(scene) {
    const { world, dice } = scene;
    const victims = [...world.orchestrators.slice(1), dice.pick(world.workers), world.logging];
    const nodeArgs = ["--import", "./packages/testing/clock-shift.ts"];
    for (const [at, member] of victims.entries()) {
      const shiftMs = (at % 2 === 0 ? 1 : -1) * 3_600_000;
      await member.end("SIGTERM");
      await member.start({ nodeArgs, env: { SIGNALBOX_CLOCK_SHIFT_MS: String(shiftMs) } });
      scene.injected(`${member.name} is ${shiftMs / 3_600_000} h off`);
    }
    await lasting(12_000);
  },
};

export const processFaults = [
  killOrchestrator,
  killAgent,
  killLogging,
  freezeOrchestrator,
  freezeAgent,
  deploy,
  clocks,
];
