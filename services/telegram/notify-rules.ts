/** Who is told of what: the rules of `infra/notify-rules.yaml`, as values. */
import type { TaskFrame } from "@signalbox/common/contracts/frame.ts";
import { type Static, Type } from "typebox";
import type { Severity } from "./notice.ts";

const closed = { additionalProperties: false } as const;

/** What can happen. Those above the line are read from the tasks and the agents, the others are told to `POST /notify` by their services. */
export const noticeKinds = [
  "task.failed",
  "task.canceled",
  "task.completed",
  "approval.wanted",
  "agent.gone",
  "agent.back",
  "finding.opened",
  "finding.resolved",
  "deploy.failed",
  "deploy.repaired",
  "drift",
  "notice",
] as const;
export type NoticeKind = (typeof noticeKinds)[number];

const Clock = Type.String({ pattern: "^(?:[01][0-9]|2[0-3]):[0-5][0-9]$", description: "such as 22:30" });
const ChatId = Type.Integer({ minimum: -9_007_199_254_740_991, maximum: 9_007_199_254_740_991 });

export const RuleFile = Type.Object(
  {
    version: Type.Literal(1),
    quietHours: Type.Optional(
      Type.Object(
        {
          from: Clock,
          to: Clock,
          timezone: Type.String({ minLength: 1, maxLength: 60 }),
          hold: Type.Optional(
            Type.Boolean({
              description: "what is not loud comes together at the end; what wants a decision comes at once",
            }),
          ),
          loud: Type.Optional(
            Type.Array(Type.Enum(["info", "warning", "critical"]), {
              description: "severities that ring all the same",
            }),
          ),
        },
        closed,
      ),
    ),
    rules: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 100 }),
          on: Type.Array(Type.Enum([...noticeKinds]), { minItems: 1 }),
          types: Type.Optional(
            Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { description: "* stands for anything" }),
          ),
          exceptTypes: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 100 }))),
          severity: Type.Optional(Type.Enum(["info", "warning", "critical"])),
          chats: Type.Optional(Type.Array(ChatId, { minItems: 1 })),
          silent: Type.Optional(Type.Boolean()),
          drop: Type.Optional(Type.Boolean({ description: "tell nobody" })),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type RuleFile = Static<typeof RuleFile>;
export type NotifyRule = RuleFile["rules"][number];

export type Ruling = { rule: string; severity: Severity; chats: number[] | null; isSilent: boolean };

/** The first rule that fits decides; null: nobody is told. What services tell to `/notify` is told even without a rule. */
export function judgeNotice(
  rules: readonly NotifyRule[],
  what: { kind: NoticeKind; type: string | null; severity: Severity | null },
): Ruling | null {
  const rule = rules.find((candidate) => fits(candidate, what));
  if (rule === undefined) {
    const isTold = what.severity !== null;
    return isTold ? { rule: "none", severity: what.severity ?? "info", chats: null, isSilent: false } : null;
  }
  if (rule.drop === true) return null;
  const severity = what.severity ?? rule.severity ?? "info";
  return { rule: rule.name, severity, chats: rule.chats ?? null, isSilent: rule.silent === true };
}

function fits({ on, types, exceptTypes = [] }: NotifyRule, what: { kind: NoticeKind; type: string | null }): boolean {
  if (!on.includes(what.kind)) return false;
  const { type } = what;
  if (type === null) return types === undefined;
  return (types ?? ["*"]).some((glob) => isLike(glob, type)) && !exceptTypes.some((glob) => isLike(glob, type));
}

/** `*` stands for any run of characters; walked in one direction, so no pattern is slow. */
export function isLike(glob: string, text: string): boolean {
  const parts = glob.split("*");
  const [first = "", ...rest] = parts;
  if (rest.length === 0) return glob === text;
  if (!text.startsWith(first)) return false;
  const last = rest.pop() ?? "";
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** What a task's event means to operators; null: nothing. */
export function kindOfFrame({ event, task }: Pick<TaskFrame, "event" | "task">): NoticeKind | null {
  const asks = task.status === "waiting" && task.waitingFor === "approval";
  if (asks && (event.kind === "approval_requested" || becameWaiting(event))) return "approval.wanted";
  if (event.kind === "failed" && task.status === "failed") return "task.failed";
  if (event.kind === "canceled" && task.status === "canceled") return "task.canceled";
  if (event.kind === "completed" && task.status === "completed") return "task.completed";
  return null;
}

/** By hand, or because a task that was never approved is retried. */
function becameWaiting({ kind, data }: TaskFrame["event"]): boolean {
  const { status } = (data.changes ?? {}) as { status?: { to?: unknown } };
  return kind === "patched" && status?.to === "waiting";
}

/** @param localTime `HH:MM` in the zone of the quiet hours */
export function isQuiet(quiet: RuleFile["quietHours"], severity: Severity, localTime: string): boolean {
  if (quiet === undefined || (quiet.loud ?? ["critical"]).includes(severity)) return false;
  const { from, to } = quiet;
  return from <= to ? localTime >= from && localTime < to : localTime >= from || localTime < to;
}

const minuteMs = 60_000;
const dayMinutes = 1_440;

/** `HH:MM` of a moment in a zone. */
export function localTimeOf(at: string, timeZone: string): string {
  const format = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone } as const;
  return new Intl.DateTimeFormat("en-GB", format).format(new Date(at));
}

/** How long until the clock of that zone shows the end of the quiet hours, in ms; also in the nights in which it is changed. */
export function quietLeftMs({ to, timezone }: { to: string; timezone: string }, at: string): number {
  const minutesTo = (local: string) => (toMinutes(to) - toMinutes(local) + dayMinutes) % dayMinutes;
  const startMs = Math.floor(Date.parse(at) / minuteMs) * minuteMs;
  const endMs = startMs + minutesTo(localTimeOf(at, timezone)) * minuteMs;
  const missed = minutesTo(localTimeOf(new Date(endMs).toISOString(), timezone));
  // A clock that was put back shows the end later, one that was put forward has shown it already.
  const shift = missed > dayMinutes / 2 ? missed - dayMinutes : missed;
  return endMs + shift * minuteMs - Date.parse(at);
}

function toMinutes(time: string): number {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return hours * 60 + minutes;
}
