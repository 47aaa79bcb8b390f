import { computed, type ReadonlySignal } from "@preact/signals";
import { type Finding, needsAnswer } from "../domain/finding.ts";
import { judgeNeeds, type Needs } from "../store/needs.ts";
import { hasProblem, type ServiceState } from "../store/services.ts";
import { nowMs } from "./clock.ts";
import { type App, useApp } from "./context.ts";

export type Attention = Needs & {
  services: readonly ServiceState[];
  /** Critical ones that nobody has taken. */
  findings: readonly Finding[];
  drifted: readonly string[];
  count: number;
  /** Since when nothing needs anybody, as far as this page has watched; null while something does. */
  clearSinceMs: number | null;
  isRead: boolean;
  problem: string | null;
  /** There are more active tasks than were read: the figures are "at least". */
  isPartial: boolean;
};

const made = new WeakMap<App, ReadonlySignal<Attention>>();

function build(app: App): ReadonlySignal<Attention> {
  let clearSinceMs: number | null = null;
  return computed(() => {
    const { isRead, problem, more } = app.needs.value;
    const needs = judgeNeeds(app.needs.value, nowMs.value);
    const services = app.services.value.filter(hasProblem);
    const findings = app.asides.findings.value.filter((finding) => needsAnswer(finding, nowMs.value));
    const drifted = app.asides.drifted.value;
    const parts = [needs.waiting, needs.failed, services, findings];
    const count = parts.reduce((sum, part) => sum + part.length, drifted.length > 0 ? 1 : 0);
    clearSinceMs = isRead && count === 0 ? (clearSinceMs ?? nowMs.value) : null;
    return { ...needs, services, findings, drifted, count, clearSinceMs, isRead, problem, isPartial: more.size > 0 };
  });
}

/** What needs a person now: one answer for the overview, the navigation's counts and the document's title. */
export function useAttention(): Attention {
  const app = useApp();
  const found = made.get(app) ?? build(app);
  made.set(app, found);
  return found.value;
}
