import type { Stage } from "./stage.ts";

/*
 * The story of the demo: a push, a deploy that fails, its repair, a metric that falls, a finding, an approval by chat, a rollback. What the
 * vendors do is steered at their stand-ins; everything else the fleet does by itself, and each scene ends when it has done so.
 */

export type Scene = { title: string; play(): Promise<string[]> };

/** What `pnpm demo` sets for its rehearsal. */
export const storySettings = { RENDER_MONITOR_SERVICES: "shop-site", POSTHOG_MODE: "propose" };

const repo = "https://github.com/acme/shop";
/** The one person who chats in a rehearsal. */
const person = { chatId: 1_000_001, userId: 1_000_001 };
/** What a build says of what it made, which the repair reads. */
const vite = ["dist/index.html  0.46 kB │ gzip: 0.30 kB", "✓ built in 1.94s"];
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export function buildStory(stage: Stage): Scene[] {
  const ids = { api: "", finding: "" };
  return [
    { title: "A shop goes live on Render", play: () => goLive(stage, ids) },
    { title: "Somebody pushes to GitHub", play: () => push(stage) },
    { title: "A deploy fails, and is mended", play: () => repair(stage) },
    { title: "A metric falls", play: () => fall(stage, ids) },
    { title: "A person approves in the chat", play: () => approve(stage, ids) },
    { title: "What all of it leaves behind", play: () => look(stage, ids) },
  ];
}

type Ids = { api: string; finding: string };
type Deploy = { id: string; status: string; trigger: string; commit?: { id?: string; message?: string } | null };
type Task = {
  id: string;
  type: string;
  status: string;
  source: string;
  correlationId: string | null;
  events: { kind: string; actor: string }[];
};

async function goLive({ call, steer, until }: Stage, ids: Ids): Promise<string[]> {
  await steer("render", "/repos", {
    method: "PUT",
    body: { url: repo, folders: { "": { has: ["package.json"], output: "dist", log: vite } } },
  });
  const body = {
    name: "shop-api",
    type: "web_service",
    repo,
    runtime: "node",
    buildCommand: "npm ci",
    startCommand: "node .",
  };
  await call("renderctl", "/render/services", { body });
  const api = await until("shop-api", async () => await findService(call, "shop-api"));
  ids.api = api.id;
  await untilLive({ call, until }, api.id, 1);
  await call("renderctl", `/render/deploy/${api.id}`, { body: {} });
  await untilLive({ call, until }, api.id, 2);
  return ["renderctl made shop-api, and deployed it twice; the second deploy is live"];
}

async function findService(call: Stage["call"], name: string): Promise<{ id: string } | undefined> {
  const { items } = await call<{ items: { id: string; name: string }[] }>("renderctl", "/render/services");
  return items.find((one) => one.name === name);
}

async function listDeploys(call: Stage["call"], id: string): Promise<Deploy[]> {
  return (await call<{ items: Deploy[] }>("renderctl", `/render/services/${id}/deploys`)).items;
}

/** So many deploys, the newest of them live. */
async function untilLive({ call, until }: Pick<Stage, "call" | "until">, id: string, count: number): Promise<void> {
  await until("a live deploy", async () => {
    const deploys = await listDeploys(call, id);
    return deploys.length >= count && deploys[0]?.status === "live";
  });
}

async function push({ call, steer, until }: Stage): Promise<string[]> {
  const [hook] = await steer<{ id: number }[]>("github", "/hooks");
  const payload = {
    ref: "refs/heads/main",
    after: "8f2c1d04be",
    repository: { full_name: "acme/shop" },
    sender: { login: "ada", type: "User" },
    head_commit: { message: "Checkout asks for the address first" },
  };
  await steer("github", "/deliveries", { body: { hookId: hook?.id, event: "push", payload } });
  const task = await until("the task of the push", async () => {
    const { items } = await call<{ items: Task[] }>("orchestrator", "/tasks?type=github.event&status=completed");
    return items[0];
  });
  return [`GitHub's signed delivery became the task ${task.id} by a rule, and an agent has run it`];
}

type Repair = {
  state: string;
  cause: string;
  service: { name: string };
  fix: { before: object; after: object } | null;
};

async function repair({ call, steer, until }: Stage): Promise<string[]> {
  const serviceDetails = { buildCommand: "npm run build", publishPath: "build" };
  await steer("render", "/services", { body: { type: "static_site", name: "shop-site", repo, serviceDetails } });
  await steer("render", "/pushes", { body: { repo, message: "A site for the shop" } });
  const fixed = await until("the repair", async () => {
    const { items } = await call<{ items: Repair[] }>("renderctl", "/render/repairs");
    return items.find(({ state, service }) => state === "fixed" && service.name === "shop-site");
  });
  return [
    `the build of shop-site failed: ${fixed.cause}`,
    `renderctl read its log, changed ${JSON.stringify(fixed.fix?.before)} to ${JSON.stringify(fixed.fix?.after)}, deployed again, and it is live`,
  ];
}

type Finding = { id: string; title: string; severity: string; proposedTaskIds: string[] };

async function fall({ call, steer, until }: Stage, ids: Ids): Promise<string[]> {
  const now = Date.now();
  const hour = Math.floor(now / hourMs) * hourMs;
  const series = { event: "signed_up", stepSeconds: 300, wave: 0.4 };
  const fellAt = hour - 2 * hourMs;
  await steer("posthog", "/series", { body: { ...series, from: hour - 49 * dayMs, to: fellAt, value: 40 } });
  await steer("posthog", "/series", { body: { ...series, from: fellAt, to: now, value: 11 } });
  const definition = {
    title: "Sign-ups",
    event: "signed_up",
    direction: "down",
    // By default the size of the fall decides, and that has an hour of day in it; a story is told the same at any hour.
    severity: "critical",
    settle: "1m",
    propose: { type: "render.rollback", payload: { serviceId: ids.api } },
  };
  await call("posthog-watcher", "/monitors/signups", { method: "PUT", body: definition });
  await call("posthog-watcher", "/watch/run", { body: { monitor: "signups" }, prefer: "wait=30" });
  const finding = await until("the finding", async () => {
    const { items } = await call<{ items: Finding[] }>("posthog-watcher", "/findings");
    return items.find(({ proposedTaskIds }) => proposedTaskIds.length > 0);
  });
  ids.finding = finding.id;
  return [
    `${finding.severity}: ${finding.title}`,
    "the watcher proposes to roll shop-api back; the task waits, and nothing has been done",
  ];
}

type Message = {
  messageId: number;
  text: string;
  keyboard: { inline_keyboard: { text: string; callback_data?: string }[][] } | null;
};

async function approve({ call, steer, until }: Stage, ids: Ids): Promise<string[]> {
  const shown = await until("the question in the chat", async () => {
    const answer = await steer<Message[] | { items: Message[] }>("telegram", `/messages?chatId=${person.chatId}`);
    const messages = Array.isArray(answer) ? answer : answer.items;
    return messages.find(({ text, keyboard }) => keyboard !== null && text.includes("render.rollback"));
  });
  const button = shown.keyboard?.inline_keyboard.flat().find(({ text }) => /approve/i.test(text));
  if (button?.callback_data === undefined) throw new Error("the message has no button to approve with");
  await steer("telegram", "/presses", { body: { ...person, messageId: shown.messageId, data: button.callback_data } });
  const rollback = await until("the rollback", async () => {
    const { items } = await call<{ items: Task[] }>("orchestrator", "/tasks?type=render.rollback&status=completed");
    return items[0];
  });
  const [newest] = await listDeploys(call, ids.api);
  return [
    `the button under the message decided exactly the version that it showed`,
    `task ${rollback.id} rolled shop-api back: its newest deploy is a ${newest?.trigger}, ${newest?.status}`,
  ];
}

async function look({ call, dashboard, login }: Stage, ids: Ids): Promise<string[]> {
  const { items } = await call<{ items: Task[] }>(
    "orchestrator",
    `/tasks?type=render.rollback&correlationId=finding:${ids.finding}`,
  );
  const [first] = items;
  const task = await call<Task>("orchestrator", `/task/${first?.id}`);
  const story = task.events.map(({ kind, actor }) => `${kind} by ${actor}`).join(", ");
  return [
    `the rollback's own story: ${story}`,
    `all of it is in the dashboard: ${dashboard}, as ${login.user} with the password ${login.pass}`,
  ];
}
