import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";
import { residentMb } from "../check-state.ts";
import { type Fault, lasting, type Scene } from "../scene.ts";

function open({ world, dice }: Scene, path = "/ws?types=task,log"): WebSocket {
  const { url } = dice.pick(world.orchestrators);
  const socket = new WebSocket(url.replace("http", "ws") + path, { headers: world.secrets.credentials.person });
  socket.on("error", () => undefined);
  return socket;
}

const mostPerClientMb = 2;

/** The largest backlog that any stream of any orchestrator has. */
async function pendingBytes({ world, label }: Scene): Promise<number> {
  const client = world.client("pending", label);
  const replies = await Promise.all(world.orchestrators.map(({ url }) => client.once("/metrics", { base: url })));
  const gauges = replies.map((reply) =>
    Number(/^signalbox_stream_pending_bytes(?:\{.*\})? (\d+)/m.exec(reply?.text ?? "")?.[1] ?? 0),
  );
  return Math.max(...gauges);
}

const slowSocket: Fault = {
  name: "slow-websocket",
  about: "clients that stop reading (socket paused) under a flood of large tasks, then read on or never again",
  async inject(scene) {
    const { world, dice, label } = scene;
    const slow = Array.from({ length: 8 }, () => open(scene));
    await Promise.all(slow.map((socket) => once(socket, "open").catch(() => undefined)));
    for (const socket of slow) socket.pause();
    scene.injected(`${slow.length} clients stop reading`);
    const before = await Promise.all(world.orchestrators.map(({ pid }) => residentMb(pid)));
    const client = world.client("flood", label);
    let most = 0;
    for (let at = 0; at < 60; at++) {
      const payload = { kind: "flood", text: "x".repeat(dice.between(100_000, 400_000)) };
      await client.persist("/task", {
        method: "POST",
        body: { type: "quick", payload, maxAttempts: 25 },
        giveUpMs: 20_000,
      });
      if (at % 10 === 0) most = Math.max(most, await pendingBytes(scene));
    }
    const after = await Promise.all(world.orchestrators.map(({ pid }) => residentMb(pid)));
    const grown = Math.max(...after.map((mb, at) => mb - (before[at] ?? 0)));
    world.say(
      `  the slowest client had ${(most / 1_048_576).toFixed(1)} MB before it, memory grew by ${grown.toFixed(0)} MB`,
    );
    if (most > mostPerClientMb * 1_048_576) world.violate("slow client", `${most} bytes waited for one client`);
    for (const socket of slow.slice(0, 4)) socket.resume();
    await lasting(3_000);
    for (const socket of slow) socket.terminate();
  },
};

const dropStorm: Fault = {
  name: "connect-drop-storm",
  about: "hundreds of streams that are opened and dropped at once, some before their handshake",
  async inject(scene) {
    const { dice } = scene;
    for (let wave = 0; wave < 10; wave++) {
      const sockets = Array.from({ length: 40 }, () => open(scene));
      await pause(dice.between(0, 400));
      for (const socket of sockets) socket.terminate();
      scene.injected(`${sockets.length} streams opened and dropped`);
    }
  },
};

export const streamFaults = [slowSocket, dropStorm];
