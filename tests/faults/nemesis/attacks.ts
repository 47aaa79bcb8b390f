import { gzipSync } from "node:zlib";
import { encodeCursor } from "@signalbox/common/cursor.ts";
import { sendRaw } from "@signalbox/testing/raw-http.ts";
import type { Asked, Client } from "../client.ts";
import { type Fault, lasting, type Scene } from "../scene.ts";

/** A request that must be refused, or taken as it is, with one of these statuses. */
type Attack = Asked & { path: string; statuses: number[] };

const deep = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
const posted = (payload: string): Attack => ({
  path: "/task",
  method: "POST",
  body: `{"type":"quick","maxAttempts":25,"payload":${payload}}`,
  statuses: [400],
});

/** So many bytes in all. */
function ofSize(bytes: number): Attack {
  const head = '{"type":"quick","maxAttempts":25,"payload":"';
  const tail = '"}';
  const text = "x".repeat(bytes - head.length - tail.length);
  return { path: "/task", method: "POST", body: head + text + tail, statuses: bytes > 1_048_576 ? [413] : [201] };
}

const json: Record<string, Attack> = {
  "depth 20,000": posted(deep(20_000)),
  "depth 65": posted(deep(65)),
  NUL: posted('"a\\u0000b"'),
  "a NUL in a key": posted('{"a\\u0000b":1}'),
  "half a surrogate pair": posted('"\\ud800"'),
  "1e400": { ...posted('{"n":1e400}'), statuses: [201, 400] },
  __proto__: {
    ...posted('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
    statuses: [201, 400],
  },
  "a number of 10,000 digits": { ...posted("9".repeat(10_000)), statuses: [201, 400] },
  "no JSON": { path: "/task", method: "POST", body: '{"type":"quick"', statuses: [400] },
  "a list": { path: "/task", method: "POST", body: "[]", statuses: [400] },
  nothing: { path: "/task", method: "POST", body: "", statuses: [400] },
  "a byte less than 1 MiB": ofSize(1_048_575),
  "1 MiB": ofSize(1_048_576),
  "a byte more than 1 MiB": ofSize(1_048_577),
};

const long = "x".repeat(10_000);
const quoted = encodeURIComponent("'; drop table tasks; --");

const strings: Record<string, Attack> = {
  "SQL in q": { path: `/tasks?q=${quoted}`, statuses: [200] },
  "wildcards in q": { path: `/tasks?q=${encodeURIComponent("%_\\")}`, statuses: [200] },
  "right to left in q": { path: `/tasks?q=${encodeURIComponent("\u202e\u0627\u0644")}`, statuses: [200] },
  "SQL as a status": { path: `/tasks?status=${quoted}`, statuses: [400] },
  "SQL as an id": { path: `/task/${quoted}`, statuses: [400, 404] },
  "an id of 10 kB": { path: `/task/${long}`, statuses: [400, 404, 414, 431] },
  "a correlation id of 10 kB": {
    path: "/task",
    method: "POST",
    body: { type: "quick", correlationId: long },
    statuses: [400],
  },
  "an Idempotency-Key of 10 kB": {
    path: "/task",
    method: "POST",
    body: { type: "quick" },
    headers: { "idempotency-key": long },
    statuses: [400],
  },
  "a forged cursor": {
    path: `/tasks?cursor=${encodeCursor(["2026-01-01T00:00:00.000Z", "not-a-uuid"])}`,
    statuses: [400],
  },
  "a cursor of February 30": {
    path: `/tasks?cursor=${encodeCursor(["2026-02-30T00:00:00.000Z", "01890000-0000-7000-8000-000000000001"])}`,
    statuses: [400],
  },
  "a broken cursor": { path: "/tasks?cursor=%00", statuses: [400] },
  "a forged stream cursor": { path: `/stream?since=${encodeCursor(["1e9", "-1"])}`, statuses: [400] },
  "a limit out of range": { path: "/tasks?limit=1000000", statuses: [400] },
  "a time that is none": { path: "/tasks?since=yesterday", statuses: [400] },
};

async function attack(scene: Scene, client: Client, all: Record<string, Attack>): Promise<void> {
  const { world, dice } = scene;
  for (const name of dice.shuffle(Object.keys(all))) {
    const { path, statuses, ...asked } = all[name] as Attack;
    const headers = { "content-type": "application/json", ...asked.headers };
    // Beside other faults it may be asked again until somebody can answer.
    const reply = await client.persist(path, { ...asked, headers, giveUpMs: 30_000 });
    scene.injected(name);
    if (reply === null || !statuses.includes(reply.status))
      world.violate("attack", `${name}: ${reply?.status ?? "no answer"} ${reply?.text.slice(0, 120)}`);
  }
}

const hostileJson: Fault = {
  name: "hostile-json",
  about: "depths, NUL, surrogates, numbers without end, __proto__, bodies around the limit; SQL and forged cursors",
  async inject(scene) {
    const client = scene.world.client("attack", scene.label);
    await attack(scene, client, json);
    await attack(scene, client, strings);
    const table = await scene.world.query("select to_regclass('tasks') is not null as there");
    if (table[0]?.there !== true) scene.world.violate("attack", "the table of tasks is gone");
  },
};

const host = "host: x\r\nconnection: close\r\n";
const bombs: Record<string, { parts: string[]; statuses: RegExp }> = {
  "a header of 17 kB": {
    parts: [`GET /health HTTP/1.1\r\n${host}x: ${"y".repeat(17_000)}\r\n\r\n`],
    statuses: /^HTTP\/1.1 431/,
  },
  "2,000 headers": {
    parts: [
      `GET /health HTTP/1.1\r\n${host}${Array.from({ length: 2_000 }, (_, at) => `x-${at}: 1\r\n`).join("")}\r\n`,
    ],
    statuses: /^HTTP\/1.1 (?:431|200)/,
  },
  "a length that lies": {
    parts: [
      `POST /task HTTP/1.1\r\n${host}content-type: application/json\r\ncontent-length: 5\r\n\r\n{}`,
      "garbage\r\n\r\n",
    ],
    statuses: /^HTTP\/1.1 4\d\d/,
  },
  "two lengths": {
    parts: [`POST /task HTTP/1.1\r\n${host}content-length: 2\r\ncontent-length: 3\r\n\r\n{}\r\n`],
    statuses: /^HTTP\/1.1 400/,
  },
  "length and chunks": {
    parts: [`POST /task HTTP/1.1\r\n${host}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    statuses: /^HTTP\/1.1 4\d\d/,
  },
  "no HTTP at all": { parts: ["\u0016\u0003\u0001 hello\r\n\r\n"], statuses: /^HTTP\/1.1 400/ },
};

/** Sends a byte now and then, so that a server which waits for the end of it waits long. */
async function slowloris(port: number, ms: number): Promise<void> {
  const request = `GET /health HTTP/1.1\r\n${host}${"x: y\r\n".repeat(1_000)}`;
  const parts = Array.from({ length: Math.floor(ms / 50) }, (_, at) => request[at] ?? "x");
  await sendRaw(port, ...parts).catch(() => "");
}

const hostileHttp: Fault = {
  name: "hostile-http",
  about: "headers of 17 kB, 2,000 headers, slowloris, lengths that lie, bytes that are no HTTP",
  async inject(scene) {
    const { world, dice } = scene;
    const ports = [...world.orchestrators, world.logging, ...world.workers].map(({ port }) => port);
    const slow = ports.flatMap((port) => Array.from({ length: 10 }, () => slowloris(port, 6_000)));
    scene.injected(`${slow.length} slow callers`);
    for (const name of dice.shuffle(Object.keys(bombs))) {
      const bomb = bombs[name];
      for (const port of ports) {
        const answer = await sendRaw(port, ...(bomb?.parts ?? [])).catch((error: Error) => error.message);
        if (!bomb?.statuses.test(answer)) world.violate("attack", `${name} at ${port}: ${answer.slice(0, 80)}`);
      }
      scene.injected(name);
    }
    await sendBomb(scene);
    await measureHealth(scene);
    await Promise.all(slow);
    await lasting(500);
  },
};

/** A body of 50 kB that would be 50 MB: nobody unpacks what was not asked for. */
async function sendBomb(scene: Scene): Promise<void> {
  const { world } = scene;
  const body = gzipSync(Buffer.alloc(50 * 1_048_576, "x"));
  const headers = {
    ...world.secrets.credentials.person,
    "content-type": "application/json",
    "content-encoding": "gzip",
  };
  for (const { url, name } of [...world.orchestrators, world.logging]) {
    const path = name === "logging" ? "/log" : "/task";
    const status = await fetch(url + path, { method: "POST", headers, body }).then(
      (response) => response.status,
      () => null,
    );
    // A connection that is closed in the middle of it is an answer too.
    if (status !== null && (status < 400 || status >= 500))
      world.violate("attack", `a gzip bomb at ${name}: ${status}`);
  }
  scene.injected("a gzip bomb");
}

/** While slow callers hang on, everybody else is answered as usual. */
async function measureHealth({ world, label }: Scene): Promise<void> {
  const client = world.client("health", label);
  const times: number[] = [];
  for (let at = 0; at < 60; at++) {
    const startedAt = performance.now();
    await client.once("/health");
    times.push(performance.now() - startedAt);
  }
  const p95 = times.sort((a, b) => a - b)[56] ?? 0;
  world.say(`  /health answers within ${p95.toFixed(0)} ms (p95)`);
  if (p95 > 1_000) world.violate("attack", `/health needed ${p95.toFixed(0)} ms beside slow callers`);
}

export const attackFaults = [hostileJson, hostileHttp];
