import { exec, many, type Pool, type Queryable, sql, transaction } from "@signalbox/common/sql.ts";
import * as audits from "./store/audits.ts";
import * as buttons from "./store/buttons.ts";
import * as inbox from "./store/inbox.ts";
import * as leadership from "./store/leadership.ts";
import * as notices from "./store/notices.ts";
import * as outbox from "./store/outbox.ts";
import * as people from "./store/people.ts";
import * as runs from "./store/runs.ts";

/** Everything that one bot keeps in PostgreSQL. */
export type Store = ReturnType<typeof bindStatements> & {
  /** Runs `work` in one transaction. No call of the network belongs in it. */
  together<T>(work: (store: Statements) => Promise<T>): Promise<T>;
  ping(): Promise<unknown>;
};
export type Statements = ReturnType<typeof bindStatements>;

export function buildStore(pool: Pool, bot: string): Store {
  return {
    ...bindStatements(pool, bot),
    together: (work) => transaction(pool, (db) => work(bindStatements(db, bot))),
    ping: () => exec(pool, sql`select 1`),
  };
}

type After<F> = F extends (db: Queryable, bot: string, ...rest: infer R) => infer A ? (...rest: R) => A : never;

function bindStatements(db: Queryable, bot: string) {
  /** A statement about this bot. */
  const own = <F extends (db: Queryable, bot: string, ...rest: never[]) => unknown>(statement: F): After<F> =>
    // The compiler cannot follow the rest parameters through; the signature is the statement's own without its first two.
    ((...rest: never[]) => statement(db, bot, ...rest)) as After<F>;
  return {
    holdLead: (hold: { holder: string; isNew: boolean; leaseMs: number }) => leadership.holdLead(db, { bot, ...hold }),
    releaseLead: (holder: string) => leadership.releaseLead(db, { bot, holder }),
    findMemory: own(leadership.findMemory),
    keepMemory: own(leadership.keepMemory),
    insertUpdates: own(inbox.insertUpdates),
    listReadyUpdates: own(inbox.listReadyUpdates),
    endUpdate: own(inbox.endUpdate),
    deferUpdate: own(inbox.deferUpdate),
    findInboxDelay: own(inbox.findInboxDelay),
    insertRun: own(runs.insertRun),
    nameRun: own(runs.nameRun),
    deleteRun: own(runs.deleteRun),
    findRun: own(runs.findRun),
    listOpenRuns: own(runs.listOpenRuns),
    closeRun: own(runs.closeRun),
    reopenRun: own(runs.reopenRun),
    keepInputVersion: own(runs.keepInputVersion),
    findAskingRun: own(runs.findAskingRun),
    enqueueMessages: own(outbox.enqueueMessages),
    setMessage: own(outbox.setMessage),
    claimMessages: own(outbox.claimMessages),
    requeueOrphans: own(outbox.requeueOrphans),
    markSent: (sent: Parameters<typeof outbox.markSent>[1]) => outbox.markSent(db, sent),
    putBack: (message: Parameters<typeof outbox.putBack>[1]) => outbox.putBack(db, message),
    markFailed: (message: Parameters<typeof outbox.markFailed>[1]) => outbox.markFailed(db, message),
    sendAnew: (message: Parameters<typeof outbox.sendAnew>[1]) => outbox.sendAnew(db, message),
    closeChat: own(outbox.closeChat),
    moveChat: own(outbox.moveChat),
    listUnaudited: own(audits.listUnaudited),
    listUnauditedMentions: own(audits.listUnauditedMentions),
    markAudited: (row: Parameters<typeof audits.markAudited>[1]) => audits.markAudited(db, row),
    insertMentions: own(audits.insertMentions),
    findOutboxDelay: own(outbox.findOutboxDelay),
    insertButtons: own(buttons.insertButtons),
    findButton: own(buttons.findButton),
    findShownVersion: own(buttons.findShownVersion),
    listShown: own(buttons.listShown),
    listMembers: own(people.listMembers),
    isMember: own(people.isMember),
    deleteMember: own(people.deleteMember),
    insertPairing: own(people.insertPairing),
    usePairing: own(people.usePairing),
    claimRefusal: own(people.claimRefusal),
    countTry: own(people.countTry),
    findChat: own(people.findChat),
    findMovedFrom: own(people.findMovedFrom),
    muteChat: own(people.muteChat),
    keepStorm: own(people.keepStorm),
    listStorms: own(people.listStorms),
    insertNotice: own(notices.insertNotice),
    listUnplaced: own(notices.listUnplaced),
    markPlaced: (id: string) => notices.markPlaced(db, id),
    listNotices: own(notices.listNotices),
    listUntold: own(notices.listUntold),
    markTold: (told: Parameters<typeof notices.markTold>[1]) => notices.markTold(db, told),
    findGroup: own(notices.findGroup),
    keepGroup: own(notices.keepGroup),
    forgetOld: (days: number) => notices.forgetOld(db, days),
    countWaiting: () => countWaiting(db, bot),
  };
}

/** For the metrics. */
async function countWaiting(db: Queryable, bot: string): Promise<{ inbox: number; outbox: number }> {
  const rows = await many(
    db,
    (row) => ({ inbox: Number(row.inbox), outbox: Number(row.outbox) }),
    sql`
    select (select count(*) from telegram_inbox where bot = ${bot} and status = 'new') as inbox,
           (select count(*) from telegram_outbox where bot = ${bot} and status = 'queued') as outbox`,
  );
  return rows[0] ?? { inbox: 0, outbox: 0 };
}
