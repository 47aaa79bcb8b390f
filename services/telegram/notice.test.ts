import { expect, test } from "vitest";
import { type Notice, planCalm, planStorm, renderPage, type Severity, type Storm, severities } from "./notice.ts";

const notice = (seq: number, at: string, text = `alert ${seq}`): Notice => ({
  id: `n${seq}`,
  seq,
  at,
  body: {
    text,
    severity: "warning",
    kind: null,
    incident: null,
    taskId: null,
    version: null,
    buttons: [],
    chats: null,
    exceptChat: null,
    isSilent: false,
  },
});

test("a trickle of alerts always has messages of its own, a flood has pages, and what no page holds is owed as a file", () => {
  let storm: Storm | null = null;
  const start = Date.parse("2026-01-01T00:00:00Z");
  const at = (seconds: number) => new Date(start + seconds * 1_000).toISOString();
  for (let index = 0; index < 100; index++) {
    const plan = planStorm(storm, notice(index, at(index * 31)));
    expect(plan.kind).toBe("own");
    storm = plan.storm;
  }
  let own = 0;
  for (let index = 0; index < 5_000; index++) {
    const plan = planStorm(storm, notice(1_000 + index, at(4_000)));
    if (plan.kind === "own") own++;
    storm = plan.storm;
    if (plan.kind === "page") expect(renderPage(storm).length).toBeLessThan(4_096);
  }
  expect(own).toBeLessThanOrEqual(5);
  expect(storm).toMatchObject({ page: 4, to: 5_999 });
  expect(planCalm(storm as Storm, start + 4_010_000)).toBeNull();
  expect(planCalm(storm as Storm, start + 4_015_000)).toMatchObject({ owesFile: true });
});

test("a line of a page shows no signs of formatting, and keeps every address", () => {
  const spent: Storm = {
    at: "2026-01-01T00:00:00Z",
    tokens: 0,
    page: 0,
    lines: [],
    length: 0,
    from: 0,
    to: 0,
    inFile: 0,
  };
  const text = "**Sign-ups fell** by 2**3 in `api`: [chart](https://a.example/b)";
  const { storm } = planStorm(spent, notice(1, spent.at, text));
  expect(renderPage(storm)).toContain("Sign-ups fell by 2**3 in `api`: [chart](https://a.example/b)");
});

type File = { from: number; to: number; atMs: number };

type Chat = { storm: Storm | null; own: number[]; paged: Map<number, { page: string; html: string }>; files: File[] };

function take(chat: Chat, alert: Notice): void {
  const lines = chat.storm?.lines;
  const { kind, storm } = planStorm(chat.storm, alert);
  chat.storm = storm;
  if (kind === "own") chat.own.push(alert.seq);
  else if (storm.lines !== lines) {
    chat.paged.set(alert.seq, { page: `${storm.from}:${storm.page}`, html: storm.lines.at(-1) ?? "" });
  }
}

function look(chat: Chat, atMs: number): void {
  const { storm } = chat;
  const over = storm && planCalm(storm, atMs);
  if (!storm || !over) return;
  if (over.owesFile) chat.files.push({ from: storm.from, to: storm.to, atMs });
  chat.storm = over.storm;
}

/** What a chat gets of alerts, with a look at the storm every second as the service has it. */
function playStorm(alerts: readonly Notice[], untilMs: number) {
  const chat: Chat = { storm: null, own: [], paged: new Map(), files: [] };
  const open = [...alerts];
  for (let now = Date.parse(open[0]?.at ?? ""); now <= untilMs; now += 1_000) {
    while (open[0] && Date.parse(open[0].at) <= now) take(chat, open.shift() as Notice);
    look(chat, now);
  }
  const pages = new Set([...chat.paged.values()].map(({ page }) => page));
  return { ...chat, messages: chat.own.length + pages.size + chat.files.length };
}

type Burst = { bursts: number; length: number; severity: Severity };

/** 500 alerts in so many heaps, spread over a minute. */
function makeAlerts(startMs: number, { bursts, length, severity }: Burst): Notice[] {
  const apart = bursts === 1 ? 0 : 60_000 / (bursts - 1);
  return Array.from({ length: 500 }, (_, index) => {
    const at = new Date(startMs + Math.floor((index * bursts) / 500) * apart).toISOString();
    const one = notice(index, at, `alert ${index} ${"x".repeat(length)}`);
    return { ...one, body: { ...one.body, severity } };
  });
}

test("however 500 alerts come in a minute, they are 20 messages at most, and each is in one of them whole", () => {
  const startMs = Date.parse("2026-01-01T00:00:00Z");
  const cases = [1, 2, 3, 4, 5, 10, 60].flatMap((bursts) =>
    [10, 80, 600, 3_000].flatMap((length) => severities.map((severity) => ({ bursts, length, severity }))),
  );
  const counts = cases.map((burst) => {
    const alerts = makeAlerts(startMs, burst);
    const { own, paged, files, messages } = playStorm(alerts, startMs + 600_000);
    const isTold = ({ seq, body: { text } }: Notice) =>
      own.includes(seq) ||
      paged.get(seq)?.html.includes(text) === true ||
      files.some(({ from, to }) => seq >= from && seq <= to);
    expect([burst, alerts.filter((one) => !isTold(one)).map(({ seq }) => seq)]).toEqual([burst, []]);
    return messages;
  });
  expect(Math.max(...counts)).toBeLessThanOrEqual(20);
  expect(Math.max(...counts)).toBeGreaterThan(14);
});

test("alerts that never stop have their file after five minutes all the same", () => {
  const startMs = Date.parse("2026-01-01T00:00:00Z");
  const alerts = Array.from({ length: 2_000 }, (_, index) =>
    notice(index, new Date(startMs + index * 500).toISOString(), `alert ${index} ${"x".repeat(200)}`),
  );
  const { files, own, paged } = playStorm(alerts, startMs + 1_000_000);
  expect(files.length).toBeGreaterThanOrEqual(3);
  const lost = alerts.filter(
    ({ seq }) => !own.includes(seq) && !paged.has(seq) && !files.some(({ from, to }) => seq >= from && seq <= to),
  );
  expect(lost).toEqual([]);
  const waits = alerts.map(({ seq, at }) => {
    const file = files.find(({ from, to }) => seq >= from && seq <= to);
    return own.includes(seq) || paged.has(seq) ? 0 : (file?.atMs ?? Number.POSITIVE_INFINITY) - Date.parse(at);
  });
  expect(Math.max(...waits)).toBeLessThanOrEqual(301_000);
});
