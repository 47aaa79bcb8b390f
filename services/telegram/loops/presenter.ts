/** Brings notices into the chats of the operators: repeats are counted in one message, incidents are threads, storms are pages. */
import { createHash } from "node:crypto";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { buildBell, rest } from "@signalbox/common/tail.ts";
import type { ButtonAction } from "../button.ts";
import { fromOwnHtml, type MessageBody, toFile } from "../message.ts";
import {
  calmStorm,
  groupKeyOf,
  groupSeconds,
  icons,
  isPressing,
  type Notice,
  planCalm,
  planStorm,
  renderPage,
  type Storm,
  type StormPlan,
  toStormFile,
} from "../notice.ts";
import { isQuiet, localTimeOf, quietLeftMs } from "../notify-rules.ts";
import { fromText, type Run, render, splitRuns } from "../rich-text.ts";
import type { NoticeGroup } from "../store/notices.ts";
import type { ChatState } from "../store/people.ts";
import type { Statements } from "../store.ts";
import type { Kit } from "./kit.ts";
import { holderOf, planButtons } from "./shown.ts";

const page = 100;
const idleMs = 5_000;
const stormLookMs = 1_000;

export function buildPresenter(kit: Kit) {
  const bell = buildBell();
  async function turn(): Promise<boolean> {
    const notices = await kit.store.listUnplaced(page);
    for (const notice of notices) await place(kit, notice);
    if (notices.length > 0) kit.ring("outbox");
    return notices.length > 0;
  }
  return {
    ring: bell.ring,
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        const isBusy = await turn().catch((error: unknown) => {
          kit.log.warn({ err: error }, "notices could not be brought into chats; this will be tried again");
          return false;
        });
        if (!isBusy) await bell.heard(idleMs, signal);
      }
    },
    /** Ends storms: what did not fit on their pages comes as a file. */
    async calm(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await rest(stormLookMs, signal);
        if (!signal.aborted) {
          await calmStorms(kit).catch((error: unknown) =>
            kit.log.warn({ err: error }, "storms could not be looked at"),
          );
        }
      }
    },
  };
}

async function place(kit: Kit, notice: Notice): Promise<void> {
  const chats = await findChats(kit, notice);
  const task = await findTask(kit, notice);
  await kit.store.together(async (tables) => {
    if (!(await tables.markPlaced(notice.id))) return;
    for (const chatId of chats) await placeIn(kit, tables, { notice, chatId, task });
  });
}

/** Everybody who is to be told, whoever of them can still be written to. */
async function findChats({ store, notifyChats, access }: Kit, { body }: Notice): Promise<number[]> {
  const members = (await store.listMembers()).map(({ userId }) => userId);
  const operators = notifyChats.length > 0 ? notifyChats : [...new Set([...access.users, ...members])];
  return [...(body.chats ?? operators)].filter((chatId) => chatId !== body.exceptChat);
}

/** The task that buttons without a version are about, as it is now. */
async function findTask({ fleet }: Kit, { body }: Notice): Promise<Task | null> {
  const needs = body.taskId !== null && body.version === null && body.buttons.some((button) => "action" in button);
  return needs && body.taskId !== null ? await fleet.findTask(body.taskId).catch(() => null) : null;
}

type Placing = { notice: Notice; chatId: number; task: Task | null };

async function placeIn(kit: Kit, tables: Statements, placing: Placing): Promise<void> {
  const { notice, chatId } = placing;
  const chat = await tables.findChat(chatId);
  if (chat?.closedBecause) return;
  const to = chat?.movedTo ?? chatId;
  const textHash = hashOf(notice);
  const key = groupKeyOf(notice.body, textHash);
  const group = await tables.findGroup({ chatId: to, key, seconds: groupSeconds });
  const moved = { ...placing, chatId: to };
  if (group?.textHash === textHash) return countRepeat(kit, tables, { ...moved, key, group });
  await placeNew(kit, tables, { ...moved, key, group, textHash, chat });
}

function hashOf({ body }: Notice): string {
  return createHash("sha256").update(`${body.severity}\n${body.text}`).digest("base64url").slice(0, 22);
}

/** The same again: one message counts it. */
async function countRepeat(
  kit: Kit,
  tables: Statements,
  { notice, chatId, key, group }: Placing & { key: string; group: NoticeGroup },
): Promise<void> {
  const count = group.count + 1;
  const seen = `\n\n<i>×${count}, first ${group.openedAt.slice(11, 19)}, last ${notice.at.slice(11, 19)} UTC</i>`;
  const [first] = toNoticeMessages(notice);
  const { html } = fromOwnHtml(`${first?.html ?? ""}${seen}`);
  const body: MessageBody = { ...first, html, plain: fromOwnHtml(html).plain };
  await tables.keepGroup({ ...group, chatId, key, count });
  const { buttons } = toButtons(kit, { notice, chatId, task: null }, group.slot);
  const spacingMs = kit.pace.editMs;
  await tables.setMessage({
    chatId,
    threadId: null,
    slot: group.slot,
    body: { ...body, buttons },
    onlyEdit: true,
    spacingMs,
  });
  await mention(tables, notice, { chatId, slot: group.slot });
}

/** The task of a notice that has no message of its own is told of the one that it came in. */
async function mention(tables: Statements, { id, body }: Notice, where: { chatId: number; slot: string }) {
  const mentions = body.taskId === null ? [] : [{ noticeId: id, taskId: body.taskId }];
  await tables.insertMentions({ where, mentions });
}

type New = Placing & { key: string; group: NoticeGroup | null; textHash: string; chat: ChatState | null };

async function placeNew(kit: Kit, tables: Statements, placing: New): Promise<void> {
  const { notice, chatId, chat } = placing;
  const before = (chat?.storm ?? null) as Storm | null;
  const delayMs = holdMs(kit, placing);
  const { plan, kept } = delayMs > 0 ? planHeld(before, notice, delayMs) : planNow(before, notice);
  await tables.keepStorm({ chatId, storm: kept });
  if (plan.kind === "own") return placeOwn(kit, tables, placing);
  // It waits for the file.
  if (plan.storm.page === 0) return;
  const slot = pageSlot(plan.storm);
  const body = { ...fromOwnHtml(renderPage(plan.storm)), isSilent: plan.storm.page > 1 };
  await tables.setMessage({ chatId, threadId: null, slot, body, delayMs, spacingMs: kit.pace.editMs });
  await mention(tables, notice, { chatId, slot });
}

/** How long a notice is held back: while the chat is muted, and in quiet hours that hold. */
function holdMs({ rules: { quietHours } }: Kit, { chat, notice }: New): number {
  const muteMs = chat?.isMuted === true && notice.body.severity !== "critical" ? chat.muteMs : 0;
  const isHeld = quietHours?.hold === true && !isPressing(notice) && isQuietAt(quietHours, notice);
  return Math.max(muteMs, isHeld ? quietLeftMs(quietHours, notice.at) : 0);
}

type Planned = { plan: StormPlan; kept: Storm };

function planNow(before: Storm | null, notice: Notice): Planned {
  const plan = planStorm(before, notice);
  return { plan, kept: plan.storm };
}

/** What is held back takes no tokens: they are for what is told meanwhile. */
function planHeld(before: Storm | null, notice: Notice, delayMs: number): Planned {
  const from = before ?? calmStorm(notice);
  const plan = planStorm({ ...from, tokens: 0, at: notice.at }, notice);
  const until = new Date(Date.parse(notice.at) + delayMs).toISOString();
  const heldUntil = until > (from.heldUntil ?? "") ? until : from.heldUntil;
  return { plan, kept: { ...plan.storm, tokens: from.tokens, ...(heldUntil !== undefined && { heldUntil }) } };
}

function pageSlot({ from, page: number }: Storm): string {
  return `storm:${from}:${number}`;
}

async function placeOwn(kit: Kit, tables: Statements, placing: New): Promise<void> {
  const { notice, chatId, key, group, textHash } = placing;
  const slot = `notice:${notice.id}`;
  const { buttons, stored } = toButtons(kit, placing, slot);
  await tables.insertButtons(stored);
  const isSilent = notice.body.isSilent || notice.body.severity === "info" || isQuietNow(kit, notice);
  const thread = group === null ? {} : { replySlot: group.rootSlot };
  const messages = toNoticeMessages(notice).map((body, at) => ({
    chatId,
    threadId: null,
    body: { ...body, ...thread, ...(isSilent && { isSilent }), ...(at === 0 && { buttons }) },
    dedupeKey: `notice:${notice.id}:${chatId}:${at}`,
    taskId: notice.body.taskId,
    slot: at === 0 ? slot : null,
  }));
  await tables.enqueueMessages(messages);
  const rootSlot = group?.rootSlot ?? slot;
  await tables.keepGroup({ chatId, key, rootSlot, slot, textHash, count: 1, openedAt: notice.at });
}

function isQuietNow({ rules: { quietHours } }: Kit, notice: Notice): boolean {
  return quietHours !== undefined && isQuietAt(quietHours, notice);
}

function isQuietAt(quiet: NonNullable<Kit["rules"]["quietHours"]>, { body, at }: Notice): boolean {
  return isQuiet(quiet, body.severity, localTimeOf(at, quiet.timezone));
}

/** One message, and a file when the text is long: the message is the one that is edited and answered. */
function toNoticeMessages({ body, id }: Notice): MessageBody[] {
  const icon = `${icons[body.severity]} `;
  if (body.isHtml === true) return [fromOwnHtml(icon + body.text)];
  const runs: Run[] = [{ text: icon, tags: [] }, ...fromText(body.text)];
  const [only = [], ...more] = splitRuns(runs);
  return more.length === 0 ? [render(only)] : toFile(runs, `alert-${id.slice(-12)}.txt`);
}

function toButtons(kit: Kit, { notice, chatId, task }: Placing, slot: string) {
  const { taskId, version, buttons } = notice.body;
  const links = buttons.flatMap((button) => ("url" in button ? [{ text: button.text, url: button.url }] : []));
  const actions: ButtonAction[] = buttons.flatMap((button) => ("action" in button ? [button.action] : []));
  const seen = version ?? task?.version ?? null;
  // A decision without a version would be about nothing that anybody saw.
  const usable = actions.filter((action) => seen !== null || (action !== "approve" && action !== "reject"));
  if (taskId === null) return { buttons: links.length > 0 ? [links] : [], stored: [] };
  const { row, stored } = planButtons(kit, { chatId, userId: holderOf(chatId), slot, taskId, version: seen }, usable);
  return { buttons: [row, links].filter((line) => line.length > 0), stored };
}

async function calmStorms(kit: Kit): Promise<void> {
  const storms = await kit.store.listStorms();
  const isBehind = storms.length > 0 && (await kit.store.listUnplaced(1)).length > 0;
  for (const { chatId, storm, isMuted } of storms) {
    const plan = isMuted ? null : planCalm(storm as Storm, Date.now(), isBehind);
    if (plan === null) continue;
    const { from, to } = storm as Storm;
    const told = plan.owesFile ? await kit.store.listNotices({ from, to }) : [];
    // Others may have been told of something at the same time that is none of this chat's.
    const notices = told.filter(({ body }) => body.exceptChat !== chatId && (body.chats?.includes(chatId) ?? true));
    await kit.store.together(async (tables) => {
      await tables.keepStorm({ chatId, storm: plan.storm });
      if (notices.length === 0) return;
      const document = { name: `alerts-${from}-${to}.txt`, content: toStormFile(notices) };
      const body = { ...fromOwnHtml(`All ${notices.length} alerts of that storm`), document, isSilent: true };
      const dedupeKey = `storm:${chatId}:${from}:${to}`;
      await tables.enqueueMessages([{ chatId, threadId: null, body, dedupeKey }]);
      const mentions = notices.flatMap(({ id, body: { taskId } }) =>
        taskId === null ? [] : [{ noticeId: id, taskId }],
      );
      await tables.insertMentions({ where: { dedupeKey }, mentions });
    });
    kit.ring("outbox");
  }
}
