import type { RunContext, RunOutcome } from "@signalbox/common/agent-run.ts";
import { Uuid } from "@signalbox/common/contracts/primitives.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { type Static, Type } from "typebox";
import type { Context } from "../context.ts";
import { type NoticeBody, type NoticeButton, severities } from "../notice.ts";

const closed = { additionalProperties: false } as const;
const Action = Type.Enum(["approve", "reject", "cancel", "retry"]);
const Label = Type.String({ minLength: 1, maxLength: 60 });

export const Notify = Type.Object(
  {
    text: Type.String({
      minLength: 1,
      maxLength: 100_000,
      description: "what happened; `code`, **bold** and links are shown so",
    }),
    severity: Type.Optional(Type.Enum([...severities], { description: "default info, which rings no phone" })),
    dedupeKey: Type.Optional(
      Type.String({ minLength: 1, maxLength: 300, description: "the same key again tells nobody" }),
    ),
    taskId: Type.Optional(Uuid),
    buttons: Type.Optional(
      Type.Array(
        Type.Union([
          Action,
          Type.Object({ text: Label, url: Type.String({ pattern: "^https?://[^\\s]{1,1000}$" }) }, closed),
          Type.Object({ text: Type.Optional(Label), action: Action }, closed),
        ]),
        { maxItems: 8, description: "links, or what can be done with the task of `taskId`" },
      ),
    ),
    ifVersion: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: "the version of the task that the text is about; default: the one of now",
      }),
    ),
    kind: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "such as finding.opened, for the rules" }),
    ),
    incident: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: "notices of one incident are one thread" }),
    ),
  },
  closed,
);
export type Notify = Static<typeof Notify>;

const Noted = Type.Object({ id: Type.Union([Uuid, Type.Null()]) }, closed);

/** Only stores: a leader brings it into the chats. */
export const notify = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/notify",
    auth: "internal",
    summary: "Tell the operators; the same dedupeKey again answers the first notice's id",
    body: Notify,
    replies: { 202: Noted },
    async handle({ body }) {
      return { status: 202, body: { id: await note(context, body) } };
    },
  });

/** The task type: an agent, a rule or a schedule tells the operators. */
export async function runNotify(context: Context, run: RunContext<Notify>): Promise<RunOutcome> {
  const { payload, taskId } = run;
  // A task that is run twice is one notice all the same.
  const dedupeKey = payload.dedupeKey ?? (taskId === null ? undefined : `task:${taskId}`);
  const about = payload.taskId ?? taskId ?? undefined;
  const id = await note(context, { ...payload, ...(dedupeKey && { dedupeKey }), ...(about && { taskId: about }) });
  return { result: { id } };
}

/** @returns null when the rules say that nobody is to be told */
async function note(context: Context, notify: Notify): Promise<string | null> {
  const { dedupeKey = null, severity = "info", kind = null, taskId = null, buttons = [] } = notify;
  const ruling = context.judge(kind ?? "notice", severity);
  if (ruling === null) return null;
  const needsVersion = taskId !== null && buttons.some((button) => typeof button === "string" || "action" in button);
  const body: NoticeBody = {
    text: notify.text,
    severity,
    kind,
    incident: notify.incident ?? null,
    taskId,
    version: notify.ifVersion ?? (needsVersion ? await context.findVersion(taskId) : null),
    buttons: buttons.map(toButton),
    chats: ruling.chats,
    exceptChat: null,
    isSilent: ruling.isSilent,
  };
  const id = await context.store.insertNotice({ dedupeKey, body });
  context.rings("notices");
  return id;
}

function toButton(button: NonNullable<Notify["buttons"]>[number]): NoticeButton {
  if (typeof button === "string") return { text: "", action: button };
  return "url" in button ? { text: button.text, url: button.url } : { text: button.text ?? "", action: button.action };
}
