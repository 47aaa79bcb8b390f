import { ApiError, invalidRequest } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import type { Context } from "../context.ts";
import { defaultWakeups, Wakeups } from "../wakeup.ts";

const key = "wakeups";

export const getWakeups = ({ kit }: Context) =>
  defineRoute({
    method: "GET",
    path: "/wakeups",
    auth: "any",
    summary: "What is looked at by the clock, in UTC",
    replies: { 200: Wakeups },
    async handle() {
      const kept = await kit.store.memory.findMemory(key);
      return { status: 200, body: (kept?.value as Wakeups | undefined) ?? defaultWakeups, etag: kept?.version ?? 0 };
    },
  });

export const putWakeups = ({ kit, ring }: Context) =>
  defineRoute({
    method: "PUT",
    path: "/wakeups",
    auth: "any",
    summary: "Replace the wakeups; with If-Match only those that you saw",
    body: Wakeups,
    replies: { 200: Wakeups },
    async handle({ body, headers, actor }) {
      const titles = body.items.map(({ title }) => title);
      const twice = titles.findIndex((title, at) => titles.indexOf(title) !== at);
      if (twice >= 0) throw invalidRequest(`/items/${twice}/title`, "is the title of another wakeup above");
      const ifVersion = parseSeen(headers["if-match"]);
      const version = await kit.store.memory.keepMemory({ key, value: body, by: actor, ifVersion });
      if (version === null)
        throw new ApiError("version_conflict", "The wakeups are not those that you saw; look at them again.");
      ring();
      return { status: 200, body, etag: version };
    },
  });

/** @throws ApiError 400 */
function parseSeen(header: string | undefined): number | null {
  if (header === undefined) return null;
  const found = /^"(\d{1,9})"$/.exec(header.trim());
  if (found === null) throw invalidRequest("", 'has an If-Match that is not "<version>"');
  return Number(found[1]);
}
