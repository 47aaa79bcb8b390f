import { connect, createServer, type Server, type Socket } from "node:net";

/*
 * A network that fails on demand: everything between a client and a server goes through here. Bytes keep their order whatever
 * the weather does, and a stalled connection loses none: real networks do neither of both within one TCP connection.
 */

/** What happens to every connection, those that are open and those to come. */
export type Weather =
  | { kind: "clear" }
  /** Nothing passes any more, and nobody is told. */
  | { kind: "stall" }
  /** New connections are closed at once. */
  | { kind: "refuse" }
  /** The servers' sides are gone and the clients were not told: what they send vanishes, for good. */
  | { kind: "half_open" }
  | { kind: "delay"; ms: number }
  /** Each connection is cut once so many more bytes have come from its server. */
  | { kind: "cut_after"; bytes: number };

export type Trap = {
  /** Bytes that the client sends in one piece, such as a statement's name. */
  text: string;
  /** The how manieth message that holds them; 1 is the next. */
  nth: number;
  /** Cut before the server gets the message, or after it got it and before its answer comes through. */
  cut: "before" | "after";
  /** Called in the moment of the cut. */
  onSprung?: () => void;
};

export type TcpProxy = AsyncDisposable & {
  port: number;
  count(): number;
  set(weather: Weather): void;
  /** Breaks all open connections. */
  cut(): void;
  /** Waits for a message and cuts its connection; resolves false when `signal` ends the wait. */
  trap(trap: Trap, signal: AbortSignal): Promise<boolean>;
};

type Side = { queue: Buffer[] };
type Pair = { client: Socket; server: Socket; left: number; isLost: boolean; up: Side; down: Side };
type ArmedTrap = Trap & { left: number; bytes: Buffer; spring(): void };

const answerGraceMs = 1_500;
const host = "127.0.0.1";

/** @param targets ports in the order in which they are tried, asked for each connection */
export async function startTcpProxy(targets: () => readonly number[]): Promise<TcpProxy> {
  const proxy = new Relay(targets);
  await proxy.listen();
  return proxy;
}

class Relay implements TcpProxy {
  readonly #targets: () => readonly number[];
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #traps = new Set<ArmedTrap>();
  #weather: Weather = { kind: "clear" };

  constructor(targets: () => readonly number[]) {
    this.#targets = targets;
    this.#server = createServer((client) => this.#accept(client));
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy does not listen");
    return address.port;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, host, resolve));
  }

  count(): number {
    return this.#pairs.size;
  }

  set(weather: Weather): void {
    this.#weather = weather;
    for (const pair of this.#pairs) {
      if (weather.kind === "cut_after") pair.left = weather.bytes;
      if (weather.kind === "half_open") lose(pair);
      for (const socket of [pair.client, pair.server]) {
        if (weather.kind === "stall") socket.pause();
        else socket.resume();
      }
    }
  }

  cut(): void {
    for (const pair of this.#pairs) destroy(pair);
  }

  trap(trap: Trap, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const armed = { ...trap, left: trap.nth, bytes: Buffer.from(trap.text), spring: () => end(true) };
      const end = (isSprung: boolean) => {
        this.#traps.delete(armed);
        signal.removeEventListener("abort", giveUp);
        resolve(isSprung);
      };
      const giveUp = () => end(false);
      this.#traps.add(armed);
      signal.addEventListener("abort", giveUp, { once: true });
      if (signal.aborted) giveUp();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    client.on("error", () => client.destroy());
    if (this.#weather.kind === "refuse") client.destroy();
    else this.#connect(client, [...this.#targets()]);
  }

  #connect(client: Socket, ports: number[]): void {
    const port = ports.shift();
    if (port === undefined || client.destroyed) return void client.destroy();
    const server = connect({ port, host });
    const tryNext = () => this.#connect(client, ports);
    server.once("error", tryNext);
    server.once("connect", () => {
      server.off("error", tryNext);
      this.#join(client, server);
    });
  }

  #join(client: Socket, server: Socket): void {
    if (client.destroyed) return void server.destroy();
    const weather = this.#weather;
    const left = weather.kind === "cut_after" ? weather.bytes : Number.POSITIVE_INFINITY;
    const pair: Pair = { client, server, left, isLost: false, up: { queue: [] }, down: { queue: [] } };
    this.#pairs.add(pair);
    client.setNoDelay(true);
    server.setNoDelay(true);
    server.on("error", () => server.destroy());
    client.on("data", (chunk) => this.#pass(pair, "up", chunk));
    server.on("data", (chunk) => this.#pass(pair, "down", chunk));
    client.on("end", () => server.end());
    server.on("end", () => !pair.isLost && client.end());
    client.on("close", () => {
      this.#pairs.delete(pair);
      if (!pair.isLost) server.destroy();
    });
    server.on("close", () => !pair.isLost && client.destroy());
    if (weather.kind === "half_open") lose(pair);
    if (weather.kind === "stall") for (const socket of [client, server]) socket.pause();
  }

  #pass(pair: Pair, way: "up" | "down", chunk: Buffer): void {
    if (pair.isLost || (way === "up" && this.#springs(pair, chunk)) || (way === "down" && spends(pair, chunk))) return;
    const side = pair[way];
    const delayMs = this.#weather.kind === "delay" ? this.#weather.ms : 0;
    side.queue.push(chunk);
    if (delayMs > 0) setTimeout(() => this.#send(pair, way), delayMs);
    else if (side.queue.length === 1) this.#send(pair, way);
    else setTimeout(() => this.#send(pair, way), 1);
  }

  /** One piece for each that came in, so that none overtakes another whatever the delays were. */
  #send(pair: Pair, way: "up" | "down"): void {
    const chunk = pair[way].queue.shift();
    const [from, to] = way === "up" ? [pair.client, pair.server] : [pair.server, pair.client];
    if (chunk === undefined || to.destroyed || pair.isLost) return;
    if (to.write(chunk)) return;
    from.pause();
    to.once("drain", () => {
      if (this.#weather.kind !== "stall") from.resume();
    });
  }

  #springs(pair: Pair, chunk: Buffer): boolean {
    for (const trap of this.#traps) {
      if (!chunk.includes(trap.bytes) || --trap.left > 0) continue;
      if (trap.cut === "after") sendLast(pair, chunk);
      else destroy(pair);
      trap.onSprung?.();
      trap.spring();
      return true;
    }
    return false;
  }
}

/** True when these were its last bytes: so many of them get through, and then the connection breaks. */
function spends(pair: Pair, chunk: Buffer): boolean {
  pair.left -= chunk.length;
  if (pair.left > 0) return false;
  pair.isLost = true;
  pair.client.write(chunk.subarray(0, chunk.length + pair.left), () => destroy(pair));
  return true;
}

/** The server has time to do what it was told; its answer comes to nobody. */
function sendLast(pair: Pair, chunk: Buffer): void {
  pair.isLost = true;
  pair.server.write(chunk);
  pair.client.resetAndDestroy();
  setTimeout(() => pair.server.destroy(), answerGraceMs);
}

function lose(pair: Pair): void {
  pair.isLost = true;
  pair.server.destroy();
}

function destroy({ client, server }: Pair): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}
