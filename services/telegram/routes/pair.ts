import { createHash, randomBytes } from "node:crypto";
import { Instant, List } from "@signalbox/common/contracts/primitives.ts";
import { notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { takePart, WholeListQuery } from "@signalbox/common/whole-list.ts";
import { Type } from "typebox";
import { pairingSeconds } from "../access.ts";
import type { Context } from "../context.ts";

const closed = { additionalProperties: false } as const;

export const createPairing = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/telegram/pairings",
    auth: "any",
    summary: "A code that lets one person in, once, within ten minutes: they open its URL",
    body: Type.Object({}, closed),
    bodyOptional: true,
    replies: { 201: Type.Object({ code: Type.String(), url: Type.String(), expiresAt: Instant }, closed) },
    async handle({ actor }) {
      const name = await context.botName();
      const code = randomBytes(16).toString("base64url");
      const codeHash = createHash("sha256").update(code).digest();
      const expiresAt = await context.store.insertPairing({ codeHash, createdBy: actor, seconds: pairingSeconds });
      return { status: 201, body: { code, url: `https://t.me/${name}?start=${code}`, expiresAt } };
    },
  });

const Member = Type.Object(
  { userId: Type.Integer(), name: Type.String(), pairedBy: Type.String(), pairedAt: Instant },
  closed,
);

export const listMembers = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/telegram/members",
    auth: "any",
    summary: "People who paired; those of TELEGRAM_ALLOWED_USER_IDS are not among them",
    query: WholeListQuery,
    replies: { 200: List(Member) },
    async handle({ query }) {
      return { status: 200, body: takePart(await store.listMembers(), query, ({ userId }) => String(userId)) };
    },
  });

export const removeMember = ({ store }: Context) =>
  defineRoute({
    method: "DELETE",
    path: "/telegram/members/:userId",
    auth: "any",
    summary: "Somebody who paired is a stranger again, at once",
    params: Type.Object({ userId: Type.String({ pattern: "^[0-9]{1,16}$" }) }, closed),
    replies: { 204: Type.Null() },
    async handle({ params }) {
      if ((await store.deleteMember(Number(params.userId))) === 0) throw notFound("paired person", params.userId);
      return { status: 204 };
    },
  });
