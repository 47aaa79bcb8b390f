import type { LogFilter } from "@signalbox/common/contracts/log.ts";
import { exec, type Pool, sql } from "@signalbox/common/sql.ts";
import type { NewOutcome, TaskOutcomeFilter } from "./outcome.ts";
import type { NewLog } from "./record.ts";
import type { Partition } from "./retention.ts";
import { buildInsertLogs, insertLogsAnywhere } from "./store/insert-logs.ts";
import { countLogs, type StatsRange } from "./store/log-stats.ts";
import * as outcomes from "./store/outcomes.ts";
import * as partitions from "./store/partitions.ts";
import * as reads from "./store/read-logs.ts";
import { searchLogs } from "./store/search-logs.ts";

/** Everything that logging asks of PostgreSQL. Routes and loops know it only by this type. */
export type Store = ReturnType<typeof buildStore>;

/** Two pools, so that searches that people wait for never keep records from being stored. */
export function buildStore(pools: { writes: Pool; reads: Pool }) {
  return {
    insertLogs: buildInsertLogs(pools.writes),
    insertLogsAnywhere: (rows: readonly NewLog[]) => insertLogsAnywhere(pools.writes, rows),
    ensurePartition: (day: string) => partitions.ensurePartition(pools.writes, day),
    ensurePartitionsAhead: (days: number) => partitions.ensurePartitionsAhead(pools.writes, days),
    listPartitions: () => partitions.listPartitions(pools.reads),
    dropPartition: (partition: Partition) => partitions.dropPartition(pools.writes, partition),
    listDrops: (limit: number) => partitions.listDrops(pools.reads, limit),
    readHistoryBytes: () => partitions.readHistoryBytes(pools.reads),
    droppedUpTo: () => partitions.droppedUpTo(pools.reads),
    listLogs: (page: reads.LogPage) => reads.listLogs(pools.reads, page),
    searchLogs: (page: reads.LogPage) => searchLogs(pools.reads, page),
    findLog: (id: string) => reads.findLog(pools.reads, id),
    readAfter: (range: reads.SeqRange, filter: LogFilter) => reads.readAfter(pools.reads, range, filter),
    readTail: (range: reads.SeqRange) => reads.readTail(pools.writes, range),
    latestSeq: (upTo: number) => reads.latestSeq(pools.writes, upTo),
    lastDrawnSeq: () => reads.lastDrawnSeq(pools.reads),
    countLogs: (range: StatsRange, filter: LogFilter) => countLogs(pools.reads, range, filter),
    insertOutcomes: (rows: readonly NewOutcome[]) => outcomes.insertOutcomes(pools.writes, rows),
    listOutcomes: (page: outcomes.OutcomePage) => outcomes.listOutcomes(pools.reads, page),
    listTaskOutcomes: (page: outcomes.OutcomePage, wanted: TaskOutcomeFilter) =>
      outcomes.listTaskOutcomes(pools.reads, page, wanted),
    listSignatures: (page: outcomes.OutcomePage) => outcomes.listSignatures(pools.reads, page),
    ping: () => exec(pools.reads, sql`select 1`),
  };
}
