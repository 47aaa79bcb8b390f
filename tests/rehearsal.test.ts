import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "@signalbox/testing/eventually.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";
import { callService, type Rehearsal, readRehearsal, tellPosthog, tellRender } from "./dashboard-story.fixture.ts";
import { connectClient, fleetPlace, readFleetFile, runStart } from "./fleet.fixture.ts";

type Emulators = Record<string, { url: string }>;

async function read<T>(url: string, init?: RequestInit): Promise<T> {
  const response = await fetch(url, init);
  expect(response.ok, `${url} answered ${response.status}`).toBe(true);
  return (await response.json()) as T;
}

test("a rehearsal has stand-ins for all vendors, whatever is set, and every way through them works", async () => {
  await using place = await fleetPlace();
  const real = {
    RENDER_API_TOKEN: "rnd_real",
    RENDER_API_BASE_URL: "http://127.0.0.1:9",
    TELEGRAM_BOT_TOKEN: "1:real",
  };
  await using fleet = runStart(place, real, ["--rehearse"]);
  await fleet.says(/Ready after/, 90_000);
  const file = (await readFleetFile(place)) as Awaited<ReturnType<typeof readFleetFile>> & { emulators: Emulators };
  expect(Object.keys(file.emulators).sort()).toEqual(["github", "posthog", "render", "telegram"]);
  for (const name of ["orchestrator", "logging", "echo-agent", "renderctl", "posthog-watcher", "telegram"]) {
    expect(file.services[name]).toMatchObject({ state: "running" });
  }
  expect(fleet.output()).not.toContain("rnd_real");
  const client = await connectClient(place);
  const authorization = { authorization: client.authorization };

  const services = await read<{ items: unknown[] }>(`${file.services.renderctl?.url}/render/services`, {
    headers: authorization,
  });
  expect(services.items).toEqual(expect.any(Array));

  const phone = openPhone(file.emulators.telegram?.url ?? "");
  await phone.say("hello from the phone");
  await phone.hears("the echo", (text) => text.includes("hello from the phone"));
  const rehearsal = await readRehearsal(place.home);
  await tryReading(rehearsal, phone);
  await tryRender(rehearsal, place.home);

  const program = join(repositoryRoot, "packages/cli/signalbox.ts");
  const env = { PATH: process.env.PATH ?? "", HOME: place.home, SIGNALBOX_HOME: place.home };
  const { stdout } = await promisify(execFile)(process.execPath, [program, "doctor", "--json"], { env });
  const { checks } = JSON.parse(stdout) as { checks: { check: string; state: string; message: string }[] };
  const stateOf = (check: string) => checks.find((one) => one.check === check)?.state;
  expect([stateOf("telegram mode"), stateOf("render token"), stateOf("webhooks")]).toEqual(["ok", "ok", "warn"]);

  const github = file.emulators.github?.url;
  const [hook] = await read<{ id: number }[]>(`${github}/__control/hooks`);
  const push = {
    ref: "refs/heads/main",
    repository: { full_name: "acme/shop" },
    sender: { login: "ada", type: "User" },
  };
  await read(`${github}/__control/deliveries`, {
    method: "POST",
    body: JSON.stringify({ hookId: hook?.id, event: "push", payload: push }),
  });
  await eventually(
    async () => (await client.call<{ items: unknown[] }>("GET", "/tasks?type=github.event")).body.items.length === 1,
    { timeoutMs: 30_000, what: "the task of the push" },
  );
}, 300_000);

type Said = { from: string; text: string };

/** The one person that the bot of a rehearsal knows. */
function openPhone(telegram: string) {
  const chatId = 1_000_001;
  const messages = async () =>
    (await read<Said[]>(`${telegram}/__control/messages?chatId=${chatId}`)).filter(({ from }) => from === "bot");
  return {
    say: (text: string) =>
      read(`${telegram}/__control/messages`, {
        method: "POST",
        body: JSON.stringify({ chatId, userId: chatId, text }),
      }),
    hears: (what: string, isIt: (text: string) => boolean) =>
      eventually(async () => (await messages()).find(({ text }) => isIt(text)), { timeoutMs: 30_000, what }),
  };
}

/** What other services know is read in the chat: nothing at first, then what there is. */
async function tryReading(fleet: Rehearsal, phone: ReturnType<typeof openPhone>): Promise<void> {
  await phone.say("/deploys");
  await phone.hears("an empty list", (text) => text.includes("There are no services."));
  await phone.say("/findings");
  await phone.hears("an empty list", (text) => text.includes("There are no findings."));
  await tellRender(fleet);
  await tellPosthog(fleet);
  await phone.hears("the news of the finding", (text) => text.includes("Sign-ups") && text.includes("score"));
  await phone.say("/deploys");
  const deploys = await phone.hears("the services", (text) => text.includes("shop-api"));
  for (const name of ["shop-web web_service", "shop-api web_service", "shop-worker background_worker"]) {
    expect(deploys.text).toContain(name);
  }
  await phone.say("/findings");
  const findings = await phone.hears("the finding", (text) => text.includes("Sign-ups") && text.includes("(open)"));
  expect(findings.text).toMatch(/^(?:🔴|🟠)/);
}

function signalbox(home: string, ...words: string[]): Promise<{ code: number | null; out: string }> {
  const env = { PATH: process.env.PATH ?? "", HOME: home, SIGNALBOX_HOME: home };
  const child = spawn(process.execPath, [join(repositoryRoot, "packages/cli/signalbox.ts"), ...words], { env });
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    out += chunk;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out })));
}

/** The account becomes the fleet of the blueprint, a change by hand is a drift, and the file can take it. */
async function tryRender(fleet: Rehearsal, home: string): Promise<void> {
  const planned = await signalbox(home, "render", "plan");
  expect(planned).toMatchObject({ code: 0, out: expect.stringContaining("+ create database/signalbox") });
  const applied = await signalbox(home, "render", "apply", "--yes");
  expect([applied.code, applied.out.trimEnd().split("\n").at(-1)]).toEqual([
    0,
    expect.stringMatching(/^apply .*: done$/),
  ]);
  expect((await signalbox(home, "render", "drift")).out).toContain("no drift");
  const { items } = await callService<{ items: { id: string; name: string }[] }>(
    fleet,
    "renderctl",
    "/render/services",
  );
  const id = items.find(({ name }) => name === "signalbox-logging")?.id;
  await callService(fleet, "renderctl", `/render/services/${id}/env`, {
    method: "PATCH",
    body: { env: { MINE: "x" } },
  });
  expect((await signalbox(home, "render", "drift")).out).toContain("envVars.MINE");
  const adopted = await signalbox(home, "render", "adopt");
  expect(adopted).toMatchObject({ code: 0, out: expect.stringContaining("+      - key: MINE\n+        sync: false") });
}
