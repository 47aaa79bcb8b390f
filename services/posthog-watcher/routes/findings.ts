import { Uuid } from "@signalbox/common/contracts/primitives.ts";
import { ApiError, invalidRequest, notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import {
  Finding,
  type FindingEventKind,
  FindingList,
  FindingQuery,
  type FindingStatus,
  FindingWithEvents,
} from "../finding.ts";
import { type Act, judgeAct } from "../finding-acts.ts";
import type { FindingChange } from "../store/findings.ts";

const closed = { additionalProperties: false } as const;
const FindingId = Type.Object({ id: Uuid }, closed);
const Text = Type.String({ minLength: 1, maxLength: 2_000 });

export const listFindings = ({ kit }: Context) =>
  defineRoute({
    method: "GET",
    path: "/findings",
    auth: "any",
    summary: "What was found, newest first, by status, severity and monitor",
    query: FindingQuery,
    replies: { 200: FindingList },
    async handle({ query }) {
      return { status: 200, body: await kit.store.findings.listFindings(query) };
    },
  });

export const getFinding = ({ kit }: Context) =>
  defineRoute({
    method: "GET",
    path: "/findings/:id",
    auth: "any",
    summary: "One finding with its evidence and everything that happened to it",
    params: FindingId,
    replies: { 200: FindingWithEvents },
    async handle({ params }) {
      const finding = await kit.store.findings.findFinding(params.id);
      if (finding === null) throw notFound("finding", params.id);
      const events = await kit.store.findings.listEvents(params.id);
      return { status: 200, body: { ...finding, events }, etag: finding.version };
    },
  });

export const ackFinding = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/findings/:id/ack",
    auth: "any",
    summary: "I have it: silence, but it stays open",
    params: FindingId,
    body: Type.Object({}, closed),
    bodyOptional: true,
    replies: { 200: Finding },
    handle: ({ params, actor }) => act(context, params.id, { act: "ack", actor, change: { snoozedUntil: null } }),
  });

export const snoozeFinding = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/findings/:id/snooze",
    auth: "any",
    summary: "Silence until a time, or until it gets worse",
    params: FindingId,
    body: Type.Object({ until: Type.String({ format: "date-time" }) }, closed),
    replies: { 200: Finding },
    async handle({ params, body, actor }) {
      const until = Date.parse(body.until);
      if (until <= context.kit.clock()) throw invalidRequest("/until", "lies in the past");
      return await act(context, params.id, {
        act: "snooze",
        actor,
        change: { snoozedUntil: until },
        data: { until: body.until },
      });
    },
  });

export const resolveFinding = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/findings/:id/resolve",
    auth: "any",
    summary: "It is over, or taken care of",
    params: FindingId,
    body: Type.Object({ note: Type.Optional(Text) }, closed),
    bodyOptional: true,
    replies: { 200: Finding },
    handle: ({ params, body, actor }) => {
      const change = { resolvedAt: context.kit.clock(), snoozedUntil: null, note: body.note ?? null };
      return act(context, params.id, {
        act: "resolve",
        actor,
        change,
        data: { ...(body.note && { note: body.note }) },
      });
    },
  });

export const declineFinding = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/findings/:id/decline",
    auth: "any",
    summary:
      "It was none: expected, outage, bug in monitor, not interesting, or a reason of your own; remembered for the next one",
    params: FindingId,
    body: Type.Object({ reason: Text }, closed),
    replies: { 200: Finding },
    handle: ({ params, body, actor }) => {
      const change = { resolvedAt: context.kit.clock(), snoozedUntil: null, note: body.reason };
      return act(context, params.id, { act: "decline", actor, change, data: { reason: body.reason } });
    },
  });

type Acting = { act: Act; actor: string; change: FindingChange; data?: Record<string, unknown> };

const eventKinds: Record<Act, FindingEventKind> = {
  ack: "acknowledged",
  snooze: "snoozed",
  resolve: "resolved",
  decline: "declined",
};

/** Twice the same changes nothing the second time; a concurrent change is met by trying again on what there is then. */
async function act({ kit }: Context, id: string, acting: Acting) {
  for (let attempt = 0; attempt < 5; attempt++) {
    const seen = await kit.store.findings.findFinding(id);
    if (seen === null) throw notFound("finding", id);
    const verdict = judgeAct(seen.status, acting.act);
    if (verdict === "same") return { status: 200, body: seen, etag: seen.version };
    if (verdict === "refused") throw refused(seen.status, acting.act);
    const changed = await changeAs(kit, { id, ifVersion: seen.version, status: verdict, acting });
    if (changed !== null) return { status: 200, body: changed, etag: changed.version };
  }
  throw new ApiError("version_conflict", "This finding changes too fast; look at it again.");
}

type Wished = { id: string; ifVersion: number; status: FindingStatus; acting: Acting };

function changeAs(kit: Context["kit"], { id, ifVersion, status, acting }: Wished) {
  const at = kit.clock();
  return kit.store.together(async (tx) => {
    const changed = await tx.findings.changeFinding(id, { change: { ...acting.change, status }, at, ifVersion });
    if (changed === null) return null;
    const { actor, data = {} } = acting;
    await tx.findings.insertEvent({ findingId: id, kind: eventKinds[acting.act], actor, at, data });
    return changed;
  });
}

function refused(status: FindingStatus, asked: Act): ApiError {
  return new ApiError("illegal_transition", `A finding that is ${status} cannot be ${eventKinds[asked]}.`, {
    details: [{ status }],
  });
}
