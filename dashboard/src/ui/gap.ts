import type { LogList } from "@signalbox/common/contracts/log.ts";
import type { App } from "../app/context.ts";
import type { Query } from "../net/rest.ts";
import { type FeedRow, type GapRow, toStoredLogRow } from "../store/rows.ts";
import { byTime } from "../store/tail.ts";
import { toast } from "./toast.tsx";

const LIMIT = 1_000;
const REACH_MS = 60_000;

/** The stored records around a loss, oldest first: from the last row before it on, one minute or a thousand records. */
export async function readGap(app: App, gap: GapRow, filter: Query): Promise<FeedRow[] | null> {
  const since = gap.afterAt ?? gap.at;
  const until = new Date(Date.parse(since) + REACH_MS).toISOString();
  const answer = await app.rest.call<LogList>("logging", "/logs", { query: { ...filter, since, until, limit: LIMIT } });
  if (!answer.ok) {
    toast(answer.failure.message);
    return null;
  }
  return answer.body.items.map(toStoredLogRow).sort(byTime);
}
