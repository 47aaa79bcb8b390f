import type { TcpProxy, Weather } from "@signalbox/testing/tcp-proxy.ts";
import { type Fault, lasting, type Scene } from "../scene.ts";

function pickWeather({ dice }: Scene): Weather {
  return dice.pick<Weather>([
    { kind: "stall" },
    { kind: "refuse" },
    { kind: "half_open" },
    { kind: "delay", ms: dice.between(20, 300) },
    { kind: "cut_after", bytes: dice.between(1, 30_000) },
  ]);
}

async function storm(scene: Scene, nets: readonly TcpProxy[], where: string): Promise<void> {
  const { dice } = scene;
  const net = dice.pick(nets);
  const weather = pickWeather(scene);
  net.set(weather);
  if (weather.kind === "refuse") net.cut();
  scene.injected(`${JSON.stringify(weather)} before ${where} ${nets.indexOf(net) + 1}`);
  await lasting(dice.between(2_000, 9_000));
  net.set({ kind: "clear" });
  await lasting(dice.between(300, 1_500));
  net.cut();
}

/** Statements whose answers are lost: what they did is unknown to who asked. */
const statements = ["insert_tasks", "claim_tasks", "finish_attempts", "idempotency_keys", "for update", "commit"];

/** The how manieth message it is makes a difference, so it is counted up until it is not reached any more. */
async function trapStatements(scene: Scene, nets: readonly TcpProxy[]): Promise<void> {
  const { dice } = scene;
  const text = dice.pick(statements);
  const cut = dice.pick(["before", "after"] as const);
  for (let nth = 1; nth <= 16; nth *= 2) {
    const net = dice.pick(nets);
    if (!(await net.trap({ text, nth, cut }, AbortSignal.timeout(4_000)))) break;
    scene.injected(`cut ${cut} the ${nth}th message with ${text}, before PostgreSQL ${nets.indexOf(net) + 1}`);
  }
}

const database: Fault = {
  name: "net-postgres",
  about:
    "between orchestrators and PostgreSQL: cut, stall, half-open, delay, cut after n bytes and at the n-th statement",
  async inject(scene) {
    const nets = scene.world.databaseNets.slice(0, -1);
    for (let times = 3; times > 0; times--) await storm(scene, nets, "PostgreSQL");
    for (let times = 3; times > 0; times--) await trapStatements(scene, nets);
  },
};

const agents: Fault = {
  name: "net-agents",
  about: "between orchestrators and agents: the same",
  async inject(scene) {
    const nets = scene.world.agentNets;
    for (let times = 3; times > 0; times--) await storm(scene, nets, "agent");
    for (let nth = 1; nth <= 8; nth *= 2) {
      const cut = scene.dice.pick(["before", "after"] as const);
      const net = scene.dice.pick(nets);
      if (await net.trap({ text: "POST /run", nth, cut }, AbortSignal.timeout(4_000)))
        scene.injected(`cut ${cut} the ${nth}th request to agent ${nets.indexOf(net) + 1}`);
    }
  },
};

const partition: Fault = {
  name: "partition",
  about: "an orchestrator loses PostgreSQL for longer than its leases, while its agents still answer it",
  async inject(scene) {
    const nets = scene.world.databaseNets.slice(0, -1);
    const net = scene.dice.pick(nets);
    net.set({ kind: "stall" });
    scene.injected(`orchestrator ${nets.indexOf(net) + 1} is cut off`);
    await lasting(scene.dice.between(33_000, 36_000));
    net.set({ kind: "clear" });
    await lasting(3_000);
  },
};

export const networkFaults = [database, agents, partition];
