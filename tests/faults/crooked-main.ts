import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/*
 * An agent that answers rubbish, as each payload asks (`how`); with CROOKED_MODE=well it answers as it should. It knows nothing
 * of the kit that proper agents are made with.
 */

const { ORCHESTRATOR_URL, INTERNAL_KEY = "", PUBLIC_URL, PORT, CROOKED_MODE } = process.env;
const instance = `crooked-${randomBytes(4).toString("hex")}`;
const type = { type: "crooked", path: "/run", maxConcurrency: 20, timeoutMs: 3_000 };

type Answer = (response: ServerResponse) => void;

const json = (body: string, status = 200): Answer => {
  return (response) => response.writeHead(status, { "content-type": "application/json" }).end(body);
};

const answers: Record<string, Answer> = {
  well: json('{"result":"well"}'),
  truncated: json('{"result":{"a":[1,2'),
  short: (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" }).write('{"result":');
    setTimeout(() => response.destroy(), 50);
  },
  huge: (response) => {
    const block = Buffer.alloc(1_048_576, "x");
    let left = 1_024;
    const write = (): void => {
      while (left-- > 0 && !response.destroyed) if (!response.write(block)) return void response.once("drain", write);
      response.end();
    };
    response.writeHead(200, { "content-type": "application/json" }).write('{"result":"');
    write();
  },
  redirect: (response) => response.writeHead(302, { location: "/well" }).end(),
  shape: json('{"foo":1}'),
  list: json("[]"),
  html: (response) => response.writeHead(200, { "content-type": "text/html" }).end("<p>hello</p>"),
  headers: (response) => response.writeHead(200, { "content-type": "application/json" }).flushHeaders(),
  drip: (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const timer = setInterval(() => response.write(" "), 1_000);
    response.on("close", () => clearInterval(timer));
  },
  silent: () => undefined,
  empty: (response) => response.writeHead(204).end(),
  cut: (response) => response.destroy(),
  infinite: json('{"result":1e400}'),
  nul: json('{"result":"a\\u0000b"}'),
  surrogate: json('{"result":"\\ud800"}'),
  deep: json(`{"result":${"[".repeat(20_000)}${"]".repeat(20_000)}}`),
  error: json('{"error":{"code":"broken","message":"as asked"}}', 500),
  bare: (response) => response.writeHead(502).end("bad gateway"),
};

async function readText(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming) text += chunk;
  return text;
}

const server = createServer(async (incoming, response) => {
  response.on("error", () => undefined);
  if (incoming.url !== "/run") return json('{"result":"redirected"}')(response);
  const { payload } = JSON.parse(await readText(incoming)) as { payload: { how: string } };
  const how = CROOKED_MODE === "well" ? "well" : payload.how;
  (answers[how] ?? answers.shape)?.(response);
});

async function beat(types: unknown[]): Promise<void> {
  await fetch(`${ORCHESTRATOR_URL}/agents/heartbeat`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-internal-key": INTERNAL_KEY },
    body: JSON.stringify({ name: "crooked", instance, url: PUBLIC_URL, types }),
    signal: AbortSignal.timeout(5_000),
  }).catch(() => undefined);
}

async function leave(): Promise<void> {
  await beat([]);
  process.exit(0);
}

process.on("SIGTERM", () => void leave());
process.on("disconnect", () => process.exit(0));
server.listen(Number(PORT), "127.0.0.1");
setInterval(() => void beat([type]), 2_000);
await beat([type]);
