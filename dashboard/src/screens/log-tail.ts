import type { LogList } from "@signalbox/common/contracts/log.ts";
import { useRef } from "preact/hooks";
import { serverNow } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { useQuery } from "../app/query.ts";
import { useTail } from "../app/tail.ts";
import { isFixed, matchesRow, type Term, toApi } from "../domain/filter.ts";
import { logVocabulary } from "../domain/vocabularies.ts";
import { rowsOf } from "../store/ring.ts";
import { type FeedRow, type GapRow, toStoredLogRow } from "../store/rows.ts";
import { readGap } from "../ui/gap.ts";

const FIRST_PAGE = 300;
const OLDER_PAGE = 500;

function acceptsRow(row: FeedRow, terms: readonly Term[]): boolean {
  if (row.kind === "log") return matchesRow(row.log, terms, logVocabulary, serverNow());
  return row.kind === "gap";
}

/** Rows of a REST page, which is newest first, as the tail holds them; what the API could not filter is filtered here. */
function toRows(page: LogList, terms: readonly Term[]): FeedRow[] {
  const rows = page.items.map(toStoredLogRow).filter((row) => acceptsRow(row, terms));
  return rows.reverse();
}

/** The logs that match some terms, read from the store and then followed live. */
export function useLogTail(terms: readonly Term[]) {
  const app = useApp();
  const isLive = !isFixed(terms);
  const view = useTail(JSON.stringify(terms), (row) => acceptsRow(row, terms), isLive);
  const older = useRef({ cursor: null as string | null, loading: false }).current;
  const read = (limit: number, cursor: string | undefined, signal?: AbortSignal) => {
    const { query } = toApi(terms, logVocabulary, serverNow());
    return app.rest.call<LogList>("logging", "/logs", { query: { ...query, limit, cursor }, signal });
  };
  const query = useQuery<LogList>(
    JSON.stringify(terms),
    (signal) => read(FIRST_PAGE, undefined, signal),
    (page) => {
      older.cursor = page.nextCursor;
      const rows = toRows(page, terms);
      // What the stream brought after the newest stored record that was read; older rows of it are what paging will read.
      const newest = page.items[0]?.at ?? "";
      const live = isLive
        ? [...rowsOf(app.live.peek().tail)].filter((row) => row.at >= newest && acceptsRow(row, terms))
        : [];
      view.start(rows, live);
    },
  );
  const loadOlder = async () => {
    if (older.cursor === null || older.loading) return;
    older.loading = true;
    const asked = older.cursor;
    const answer = await read(OLDER_PAGE, asked);
    older.loading = false;
    if (!answer.ok || older.cursor !== asked) return;
    older.cursor = answer.body.nextCursor;
    view.addOlder(toRows(answer.body, terms));
  };
  const fillGap = async (gap: GapRow) => {
    const rows = await readGap(app, gap, toApi(terms, logVocabulary, serverNow()).query);
    if (rows) {
      view.fill(
        gap,
        rows.filter((row) => acceptsRow(row, terms)),
      );
    }
  };
  return { view, query, isLive, loadOlder: () => void loadOlder(), fillGap: (gap: GapRow) => void fillGap(gap) };
}
