import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { eventually } from "./eventually.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

/** Answers every byte with itself, and keeps what came. */
async function startMirror() {
  let text = "";
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      text += chunk;
      socket.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    text: () => text,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function dial(port: number) {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => {
    text += chunk;
  });
  return {
    socket,
    closed: new Promise<void>((resolve) => socket.on("close", () => resolve())),
    hears: (expected: string) => eventually(() => text === expected, { what: `"${expected}", not "${text}"` }),
    text: () => text,
    [Symbol.dispose]: () => socket.destroy(),
  };
}

test("bytes pass both ways, and wait out a stall and a delay in their order", async () => {
  await using mirror = await startMirror();
  await using proxy = await startTcpProxy(() => [mirror.port]);
  using client = dial(proxy.port);
  client.socket.write("a");
  await client.hears("a");
  proxy.set({ kind: "stall" });
  client.socket.write("b");
  proxy.set({ kind: "delay", ms: 50 });
  client.socket.write("c");
  await client.hears("ab");
  proxy.set({ kind: "clear" });
  client.socket.write("d");
  await client.hears("abcd");
});

test("a half-open connection swallows what is sent, for good, and new ones are well after it", async () => {
  await using mirror = await startMirror();
  await using proxy = await startTcpProxy(() => [mirror.port]);
  using client = dial(proxy.port);
  client.socket.write("a");
  await client.hears("a");
  proxy.set({ kind: "half_open" });
  client.socket.write("b");
  proxy.set({ kind: "clear" });
  client.socket.write("c");
  using other = dial(proxy.port);
  other.socket.write("d");
  await other.hears("d");
  expect(client.text()).toBe("a");
  expect(client.socket.destroyed).toBe(false);
  expect(mirror.text()).toBe("ad");
});

test("connections are cut after so many bytes, at once, and refused", async () => {
  await using mirror = await startMirror();
  await using proxy = await startTcpProxy(() => [mirror.port]);
  proxy.set({ kind: "cut_after", bytes: 3 });
  using short = dial(proxy.port);
  short.socket.write("abcdef");
  await short.closed;
  expect("abc".startsWith(short.text())).toBe(true);
  proxy.set({ kind: "clear" });
  using open = dial(proxy.port);
  open.socket.write("x");
  await open.hears("x");
  proxy.cut();
  await open.closed;
  proxy.set({ kind: "refuse" });
  using refused = dial(proxy.port);
  await refused.closed;
});

test.each([
  ["before", "a1 a2 "],
  ["after", "a1 a2 a3 "],
] as const)("a trap cuts %s the third message", async (cut, arrived) => {
  await using mirror = await startMirror();
  await using proxy = await startTcpProxy(() => [mirror.port]);
  using client = dial(proxy.port);
  const sprung = proxy.trap({ text: "a", nth: 3, cut }, new AbortController().signal);
  for (const [at, message] of ["a1 ", "a2 ", "a3 "].entries()) {
    client.socket.write(message);
    if (at < 2) await client.hears("a1 a2 ".slice(0, 3 * (at + 1)));
  }
  expect(await sprung).toBe(true);
  await client.closed;
  await eventually(() => mirror.text() === arrived, { what: arrived });
  expect(client.text()).toBe("a1 a2 ");
  expect(await proxy.trap({ text: "a", nth: 1, cut }, AbortSignal.abort())).toBe(false);
});

test("a target that does not listen is passed over", async () => {
  await using mirror = await startMirror();
  await using proxy = await startTcpProxy(() => [1, mirror.port]);
  using client = dial(proxy.port);
  client.socket.write("a");
  await client.hears("a");
});
