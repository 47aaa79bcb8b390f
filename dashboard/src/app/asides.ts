import { effect, type ReadonlySignal, signal } from "@preact/signals";
import type { DriftList } from "@signalbox/common/contracts/blueprint.ts";
import type { Finding } from "../domain/finding.ts";
import type { FleetConfig } from "../net/config.ts";
import type { Rest } from "../net/rest.ts";
import type { Batch } from "../store/live.ts";
import { hasNewsOf } from "./news.ts";

/*
 * What needs a person and is not a task: findings and drift. No frame tells of them, so they are read at sign-in, whenever reads
 * may have holes, and when the service that knows them has logged something. Reading drift reads the vendor's account, whose
 * limits are everybody's: at most once a minute, however often the tab is loaded meanwhile.
 */

export type Asides = {
  findings: ReadonlySignal<readonly Finding[]>;
  /** Names of the resources that differ from the blueprint. */
  drifted: ReadonlySignal<readonly string[]>;
  noteBatch: (batch: Batch) => void;
  readFindings: () => void;
};

const FINDINGS_MS = 1_000;
const DRIFT_MS = 60_000;

const DRIFT_KEY = "signalbox.drift";
type Recalled = { atMs: number; names: string[] };

function recallDrift(): Recalled {
  try {
    const held = JSON.parse(sessionStorage.getItem(DRIFT_KEY) ?? "{}") as Partial<Recalled>;
    return { atMs: Number(held.atMs ?? 0), names: Array.isArray(held.names) ? held.names.map(String) : [] };
  } catch {
    return { atMs: 0, names: [] };
  }
}

/**
 * Runs at once, then at most once in a while; what was asked for meanwhile is done at its end.
 *
 * @param leftMs of a rest that began before
 */
function calmly(run: () => Promise<void>, restMs: number, leftMs = 0): () => void {
  let isResting = leftMs > 0;
  let isWanted = false;
  const wake = () => {
    isResting = false;
    if (isWanted) go();
  };
  if (isResting) setTimeout(wake, leftMs);
  const go = () => {
    if (isResting) {
      isWanted = true;
      return;
    }
    isResting = true;
    isWanted = false;
    void run().finally(() => setTimeout(wake, restMs));
  };
  return go;
}

type Parts = {
  rest: Rest;
  config: FleetConfig;
  isSignedIn: () => boolean;
  epoch: ReadonlySignal<number>;
};

export function buildAsides({ rest, config, isSignedIn, epoch }: Parts): Asides {
  const findings = signal<readonly Finding[]>([]);
  const recalled = recallDrift();
  const leftMs = Math.min(DRIFT_MS, recalled.atMs + DRIFT_MS - Date.now());
  const drifted = signal<readonly string[]>(leftMs > 0 ? recalled.names : []);
  const readFindings = calmly(async () => {
    const query = { status: "open,snoozed", severity: "critical", limit: 100 };
    const answer = await rest.call<{ items: Finding[] }>("posthog-watcher", "/findings", { query });
    if (answer.ok) findings.value = answer.body.items;
  }, FINDINGS_MS);
  const lookAtDrift = async () => {
    const answer = await rest.call<DriftList>("renderctl", "/render/drift");
    if (!answer.ok || !isSignedIn()) return;
    const names = [...new Set(answer.body.items.map(({ resource }) => resource))];
    drifted.value = names;
    sessionStorage.setItem(DRIFT_KEY, JSON.stringify({ atMs: Date.now(), names } satisfies Recalled));
  };
  const readDrift = calmly(lookAtDrift, DRIFT_MS, leftMs);
  const hasWatcher = config.services["posthog-watcher"] !== undefined;
  const hasRender = config.services.renderctl !== undefined;
  effect(() => {
    epoch.value;
    if (!isSignedIn()) {
      findings.value = [];
      drifted.value = [];
      return;
    }
    if (hasWatcher) readFindings();
    if (hasRender) readDrift();
  });
  return {
    findings,
    drifted,
    readFindings,
    noteBatch(batch) {
      if (hasWatcher && hasNewsOf(batch, "posthog-watcher")) readFindings();
      if (hasRender && hasNewsOf(batch, "renderctl")) readDrift();
    },
  };
}
