/**
 * Follows the stream of tasks from a cursor that is kept in the database, together with what a frame brings about: a restart repeats
 * nothing and misses nothing. A frame that is seen twice all the same (the cursor is written at most once in a while when nothing
 * happens) changes nothing: ends are taken once, messages and notices have keys.
 */
import type { Frame, TaskFrame } from "@signalbox/common/contracts/frame.ts";
import { CallError } from "@signalbox/common/fleet-call.ts";
import { rest } from "@signalbox/common/tail.ts";
import { type ChatRun, updateOfKey } from "../chat-run.ts";
import { fromOwnHtml, type MessageBody } from "../message.ts";
import type { NoticeBody } from "../notice.ts";
import { judgeNotice, kindOfFrame } from "../notify-rules.ts";
import { planRunFrame, type RunStep } from "../run-frames.ts";
import type { Statements } from "../store.ts";
import { describeApproval, describeDecision, describeFailure } from "../wording.ts";
import type { Kit } from "./kit.ts";
import { holderOf, planButtons } from "./shown.ts";
import type { Typing } from "./typing.ts";

const cursorKey = "task-stream";
/** How often the place in the stream is written down while nothing of it concerns us. */
const cursorEveryMs = 5_000;
const firstRetryMs = 250;
const longestRetryMs = 5_000;
const sweepEveryMs = 60_000;

/** Where the stream has been followed to; `undefined` until it was looked up. */
type Place = { cursor: string | null | undefined; failures: number };

export async function follow(kit: Kit, typing: Typing, signal: AbortSignal): Promise<void> {
  const place: Place = { cursor: undefined, failures: 0 };
  while (!signal.aborted) {
    const error: unknown = await readOn(kit, typing, { place, signal }).then(
      () => null,
      (cause: unknown) => cause,
    );
    if (signal.aborted) return;
    if (error instanceof CallError && error.status === 400) {
      kit.log.warn("the place in the stream of tasks is not known any more; it is followed from now on");
      place.cursor = undefined;
      await kit.store.keepMemory({ key: cursorKey, value: null }).catch(() => undefined);
    }
    if (place.failures++ === 0) kit.log.info({ err: error }, "the stream of tasks ended; it is opened again");
    const waitMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(place.failures, 6));
    await rest(waitMs * (0.5 + Math.random() / 2), signal);
  }
}

/** Takes frames from where it stands until the connection ends. */
async function readOn(
  kit: Kit,
  typing: Typing,
  { place, signal }: { place: Place; signal: AbortSignal },
): Promise<void> {
  place.cursor ??= ((await kit.store.findMemory(cursorKey)) as string | undefined) ?? null;
  let keptAt = performance.now();
  for await (const frame of kit.fleet.follow(place.cursor, signal)) {
    place.failures = 0;
    const isKept = await take(kit, typing, frame);
    // Whatever ended before the stream was followed for the first time is in no frame.
    if (place.cursor === null) await reconcile(kit);
    place.cursor = frame.cursor;
    const isDue = frame.type === "hello" || performance.now() - keptAt > cursorEveryMs;
    if (!isKept && isDue) await kit.store.keepMemory({ key: cursorKey, value: frame.cursor });
    if (isKept || isDue) keptAt = performance.now();
  }
}

/** @returns whether the cursor was written with what the frame brought about */
async function take(kit: Kit, typing: Typing, frame: Frame): Promise<boolean> {
  if (frame.type === "gap") {
    await reconcile(kit);
    return false;
  }
  if (frame.type !== "task") return false;
  const run = await findRunOf(kit, frame);
  const steps = run === null ? [] : planRunFrame(run, frame);
  const notice = toNotice(kit, frame, run);
  const decision = isDecided(frame) ? describeDecision(frame.task, frame.event) : null;
  if (run !== null) typing.follow(run, steps);
  const isNamed = run === null || run.taskId !== null;
  if (steps.length === 0 && notice === null && decision === null && isNamed) return false;
  await kit.store.together(async (tables) => {
    if (run !== null) await takeSteps(kit, tables, { run, frame, steps });
    if (notice !== null) await tables.insertNotice(notice);
    if (decision !== null) await showDecision(kit, tables, frame, decision);
    await tables.keepMemory({ key: cursorKey, value: frame.cursor });
  });
  kit.ring("outbox");
  if (notice !== null) kit.ring("notices");
  return true;
}

/** The chat that asked for this task itself, not for what made it. */
async function findRunOf({ bot, store }: Kit, { task }: TaskFrame): Promise<ChatRun | null> {
  const updateId = task.parentId === null ? updateOfKey(bot, task.correlationId) : null;
  const run = updateId === null ? null : await store.findRun(updateId);
  return run !== null && (run.taskId === null || run.taskId === task.id) ? run : null;
}

type Found = { run: ChatRun; frame: Pick<TaskFrame, "event" | "task">; steps: readonly RunStep[] };

async function takeSteps(kit: Kit, tables: Statements, { run, frame, steps }: Found): Promise<void> {
  const { updateId } = run;
  if (run.taskId === null) await tables.nameRun({ updateId, taskId: frame.task.id });
  for (const step of steps) {
    if (step.kind === "progress") await showProgress(kit, tables, { run, frame, step });
    else if (step.kind === "end") await end(kit, tables, { run, frame, step });
    else if (step.kind === "ask") await ask(tables, { run, frame, step });
    else if (step.kind === "answered") await tables.keepInputVersion({ updateId, version: null });
    else if (step.kind === "reopen") await tables.reopenRun(updateId);
  }
}

type With<K extends RunStep["kind"]> = Omit<Found, "steps"> & { step: Extract<RunStep, { kind: K }> };

async function showProgress(kit: Kit, tables: Statements, { run, frame, step }: With<"progress">): Promise<void> {
  const { chatId, threadId } = run.place;
  const slot = `run:${run.updateId}`;
  const plan = { chatId, userId: holderOf(chatId), slot, taskId: frame.task.id, version: null };
  const { row, stored } = planButtons(kit, plan, step.isCancelable ? ["cancel"] : []);
  await tables.insertButtons(stored);
  const body = { ...step.body, ...(row.length > 0 && { buttons: [row] }) };
  const about = { taskId: frame.task.id, onlyEdit: step.onlyEdit, spacingMs: kit.pace.editMs };
  await tables.setMessage({ chatId, threadId, slot, body, ...about });
}

async function end(kit: Kit, tables: Statements, { run, frame, step }: With<"end">): Promise<void> {
  if ((await tables.closeRun(run.updateId)) === null) return;
  const { chatId, threadId } = run.place;
  const { task, event } = frame;
  const slot = `end:${run.updateId}:${event.id}`;
  const plan = { chatId, userId: holderOf(chatId), slot, taskId: task.id, version: null };
  const { row, stored } = planButtons(kit, plan, step.isRetryable ? ["retry"] : []);
  await tables.insertButtons(stored);
  const messages = step.messages.map((body, at) => {
    const isLast = at === step.messages.length - 1;
    const whole = isLast && row.length > 0 ? { ...body, buttons: [row] } : body;
    // The version makes the end after a retry another one.
    const dedupeKey = `run:${run.updateId}:${task.version}:${at}`;
    return { chatId, threadId, body: whole, dedupeKey, taskId: task.id, ...(isLast && { slot }) };
  });
  await tables.enqueueMessages(messages);
}

async function ask(tables: Statements, { run, frame, step }: With<"ask">): Promise<void> {
  const { updateId, place } = run;
  await tables.keepInputVersion({ updateId, version: step.version });
  const dedupeKey = `ask:${updateId}:${step.version}`;
  await tables.enqueueMessages([{ ...place, body: step.body, dedupeKey, taskId: frame.task.id }]);
}

/** What operators are told of a frame, with the key that makes it one notice. */
function toNotice(
  { rules }: Kit,
  frame: TaskFrame,
  run: ChatRun | null,
): { dedupeKey: string; body: NoticeBody } | null {
  const kind = kindOfFrame(frame);
  if (kind === null) return null;
  const { task, event } = frame;
  const ruling = judgeNotice(rules.rules, { kind, type: task.type, severity: null });
  if (ruling === null) return null;
  const asks = kind === "approval.wanted";
  const body: NoticeBody = {
    text: asks ? describeApproval(task) : describeTaskNotice(frame),
    severity: ruling.severity,
    kind,
    incident: asks ? `task:${task.id}` : null,
    taskId: task.id,
    version: asks ? task.version : null,
    buttons: asks
      ? [
          { text: "", action: "approve" },
          { text: "", action: "reject" },
        ]
      : kind === "task.failed"
        ? [{ text: "", action: "retry" }]
        : [],
    chats: ruling.chats,
    // The chat that asked is told of the end as its answer.
    exceptChat: asks ? null : (run?.place.chatId ?? null),
    isSilent: ruling.isSilent,
    isHtml: true,
  };
  return { dedupeKey: asks ? `approval:${task.id}:${task.version}` : `event:${event.id}`, body };
}

function describeTaskNotice({ task }: TaskFrame): string {
  return `<b>${task.type}</b>\n${describeFailure(task)}`;
}

function isDecided({ event, task }: TaskFrame): boolean {
  if (event.kind === "approved" || event.kind === "rejected") return true;
  const isEnd = event.kind === "failed" || event.kind === "canceled";
  return isEnd && task.approval !== null && task.approval.decidedAt === null;
}

/** Wherever the decision was asked for, it says now who took it, and has no buttons any more. */
async function showDecision(kit: Kit, tables: Statements, { task }: TaskFrame, decision: string): Promise<void> {
  const body: MessageBody = fromOwnHtml(`${describeApproval(task)}\n\n${decision}`);
  for (const { chatId, slot } of await tables.listShown(task.id)) {
    await tables.setMessage({ chatId, threadId: null, slot, body, taskId: task.id, onlyEdit: true, spacingMs: 0 });
  }
  kit.ring("outbox");
}

/** A net under the stream: runs that have been open for long are looked at from time to time. */
export async function sweep(kit: Kit, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await rest(sweepEveryMs, signal);
    if (signal.aborted) return;
    await reconcile(kit, sweepEveryMs).catch((error: unknown) =>
      kit.log.debug({ err: error }, "runs were not looked at"),
    );
  }
}

/** Every run that a chat still waits for is looked at as it is, oldest first. */
async function reconcile(kit: Kit, olderThanMs = 0): Promise<void> {
  const runs = (await kit.store.listOpenRuns()).filter(({ ageMs }) => ageMs >= olderThanMs);
  for (const run of runs) {
    const task = run.taskId === null ? null : await kit.fleet.findTask(run.taskId);
    const event = task?.events.findLast(({ kind }) => kind !== "side_effect" && kind !== "note");
    if (!task || !event) continue;
    const steps = planRunFrame(run, { task, event }).filter(({ kind }) => kind === "end" || kind === "ask");
    await kit.store.together((tables) => takeSteps(kit, tables, { run, frame: { task, event }, steps }));
  }
  kit.ring("outbox");
}
