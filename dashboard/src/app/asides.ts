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
 * limits are everybody's: at most once a minute.
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

/** Runs at once, then at most once in a while; what was asked for meanwhile is done at its end. */
function calmly(run: () => Promise<void>, restMs: number): () => void {
  let isResting = false;
  let isWanted = false;
  const go = () => {
    if (isResting) {
      isWanted = true;
      return;
    }
    isResting = true;
    isWanted = false;
    void run().finally(() =>
      setTimeout(() => {
        isResting = false;
        if (isWanted) go();
      }, restMs),
    );
  };
  return go;
}

type Parts = { rest: Rest; config: FleetConfig; isSignedIn: () => boolean; epoch: ReadonlySignal<number> };

export function buildAsides({ rest, config, isSignedIn, epoch }: Parts): Asides {
  const findings = signal<readonly Finding[]>([]);
  const drifted = signal<readonly string[]>([]);
  const readFindings = calmly(async () => {
    const query = { status: "open,snoozed", severity: "critical", limit: 100 };
    const answer = await rest.call<{ items: Finding[] }>("posthog-watcher", "/findings", { query });
    if (answer.ok) findings.value = answer.body.items;
  }, FINDINGS_MS);
  const readDrift = calmly(async () => {
    const answer = await rest.call<DriftList>("renderctl", "/render/drift");
    if (answer.ok) drifted.value = [...new Set(answer.body.items.map(({ resource }) => resource))];
  }, DRIFT_MS);
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
