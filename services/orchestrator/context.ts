import type { Task } from "@signalbox/common/contracts/task.ts";
import type { DeliveryOutcome } from "@signalbox/common/contracts/webhook.ts";
import type { Log } from "@signalbox/common/log.ts";
import type { LogSearch } from "./clients/log-search.ts";
import type { Dispatcher } from "./loops/dispatch.ts";
import type { Change } from "./loops/engine.ts";
import type { Gate } from "./loops/gate.ts";
import type { Roster } from "./loops/roster.ts";
import type { Scheduler } from "./loops/scheduler.ts";
import type { Streams } from "./loops/streams.ts";
import type { TypeCatalog } from "./loops/type-catalog.ts";
import type { Waiters } from "./loops/waiters.ts";
import type { NewTask } from "./new-task.ts";
import type { Store } from "./store.ts";
import type { RuleBook } from "./webhook-rules.ts";
import type { SenderScheme } from "./webhook-signature.ts";

/** What a route may use. */
export type Context = {
  store: Store;
  /** Stores one task and wakes whoever has to do with it; null when its idempotency key is taken, and nothing was stored. */
  insertTask(task: NewTask): Promise<Task | null>;
  catalog: TypeCatalog;
  roster: Roster;
  dispatcher: Dispatcher;
  scheduler: Scheduler;
  streams: Streams;
  waiters: Waiters;
  logs: LogSearch;
  /** Encrypts the secret members of payloads; null when SECRETS_KEY is not set. */
  sealingKey: Buffer | null;
  /** Events a minute, of people. */
  limits: { userPerMinute: number; globalPerMinute: number };
  /** How webhooks are judged: the rules, the secrets of GitHub (the one of now first), and the other senders by their names. */
  webhooks: {
    book: RuleBook;
    githubSecrets: string[];
    senders: Map<string, SenderScheme[]>;
    /** A flood of deliveries waits here, so that it takes neither all connections nor a refusal that its sender would not survive. */
    gate: Gate;
    /** Counts a delivery by what became of it; `refused`: its signature was wrong. */
    count(source: string, outcome: DeliveryOutcome | "duplicate" | "refused"): void;
  };
  /** Whether events may be sent to private addresses. */
  allowPrivateReceivers: boolean;
  log: Log;
  /** Hides secrets in any JSON value: for what is kept only to be read by people. */
  hide<T>(value: T): T;
  /** Something was written: events for the streams, maybe a task to claim, maybe one that is due later. */
  changed(what: Change): void;
  /** A schedule was made or changed: the next fire may be sooner. */
  scheduled(): void;
  /** A subscription was made, changed or deleted: who is told of events may be another. */
  subscribed(): void;
};
