import type { GivenEvent } from "./event-store.ts";
import type { Fault } from "./faults.ts";
import { allScopes, type Flag, type Insight, type Issue, type Json, Refusal, type State, toTime } from "./state.ts";

/*
 * How a test or a rehearsal steers the stand-in, by a function each and by the same over HTTP under `/__control`:
 *
 *   GET    /state                                                      what there is
 *   GET    /requests                                                   every call of the API so far, oldest first
 *   DELETE /requests
 *   POST   /events    {"items":[{"at","event","properties"?,"person"?,"count"?,"persons"?,"arrivesAt"?}]}   times in ms or as texts
 *   POST   /series    {"event","from","to","stepSeconds","value","wave"?,"properties"?,"arrivesLateSeconds"?}   a steady stream, with a daily wave
 *   DELETE /events
 *   POST   /faults    {"path"?,"kind","times","status"?,"headers"?,"delayMs"?}          see faults.ts
 *   DELETE /faults
 *   POST   /flags     {"key","active"?,"filters"?}
 *   POST   /insights  {"short_id","name"?,"query"}
 *   POST   /issues    {"id","name","status"?}
 *   PATCH  /settings  {"advanceMs"?,"hasLimits"?,"asyncPolls"?,"scopes"?}
 *   POST   /reset
 */

export type GivenSeries = {
  event: string;
  from: number | string;
  to: number | string;
  stepSeconds: number;
  /** events a step */
  value: number;
  /** 0 to 1: how much more there is at noon, and less at midnight */
  wave?: number;
  properties?: Json;
  arrivesLateSeconds?: number;
};

export type Control = ReturnType<typeof buildControl>;

export function buildControl(state: State, clock: { aheadMs: number }) {
  return {
    addEvents: (items: readonly GivenEvent[]): void => state.events.add(items),
    addSeries: (series: GivenSeries): number => addSeries(state, series),
    fail: (fault: Fault): void => void state.faults.push({ ...fault }),
    addFlag(given: Partial<Flag> & { key: string }): Flag {
      const flag = {
        active: true,
        version: 1,
        deleted: false,
        filters: { groups: [{ rollout_percentage: 100 }] },
        ...given,
      };
      const added = { ...flag, id: given.id ?? state.nextId++, updated_at: toTime(state.now()) } as Flag;
      state.flags.push(added);
      return added;
    },
    /** As a person does it in PostHog: nobody is asked. */
    setFlag(key: string, changes: Partial<Flag>): void {
      const flag = state.flags.find((one) => one.key === key);
      if (flag) Object.assign(flag, changes, { version: flag.version + 1, updated_at: toTime(state.now()) });
    },
    addInsight(given: Partial<Insight> & { short_id: string; query: Json }): Insight {
      const insight = { name: given.short_id, ...given, id: state.nextId++ } as Insight;
      state.insights.push(insight);
      return insight;
    },
    addIssue: (given: Partial<Issue> & { id: string; name: string }): void =>
      void state.issues.push({ status: "active", ...given } as Issue),
    set({
      advanceMs = 0,
      ...given
    }: {
      advanceMs?: number;
      hasLimits?: boolean;
      asyncPolls?: number;
      scopes?: string[];
    }): void {
      clock.aheadMs += advanceMs;
      Object.assign(state, given);
    },
    reset(): void {
      state.events.clear();
      for (const list of [state.flags, state.insights, state.annotations, state.issues, state.requests, state.faults])
        list.length = 0;
      state.pending.clear();
      state.spending.clear();
      state.scopes = [...allScopes];
    },
    /** What changed something so far. */
    writes: () => state.requests.filter(({ isWrite }) => isWrite),
  };
}

const dayMs = 24 * 60 * 60_000;

function addSeries(state: State, series: GivenSeries): number {
  const { event, stepSeconds, value, wave = 0, properties = {}, arrivesLateSeconds = 0 } = series;
  const [from, to] = [toMs(series.from), toMs(series.to)];
  const items: GivenEvent[] = [];
  for (let at = from; at < to; at += stepSeconds * 1_000) {
    const count = Math.round(value * (1 - wave * Math.cos((2 * Math.PI * (at % dayMs)) / dayMs)));
    if (count > 0) items.push({ at, event, properties, count, arrivesAt: at + arrivesLateSeconds * 1_000 });
  }
  state.events.add(items);
  return items.length;
}

/** @throws Refusal 400 */
function toMs(time: number | string): number {
  const ms = typeof time === "number" ? time : Date.parse(time);
  if (Number.isNaN(ms)) throw new Refusal(400, `${time} is no time`);
  return ms;
}

/** The answer to one call under `/__control`. @throws Refusal */
export function answerControl(
  state: State,
  control: Control,
  call: { method: string; path: string; body: unknown },
): unknown {
  const body = (call.body ?? {}) as Json;
  const actions: Record<string, () => unknown> = {
    "GET /state": () => show(state),
    "GET /requests": () => ({ items: state.requests }),
    "DELETE /requests": () => done(() => state.requests.splice(0)),
    "POST /events": () => done(() => control.addEvents(toEvents(body.items))),
    "POST /series": () => ({ added: control.addSeries(body as GivenSeries) }),
    "DELETE /events": () => done(() => state.events.clear()),
    "POST /faults": () => done(() => control.fail(body as Fault)),
    "DELETE /faults": () => done(() => state.faults.splice(0)),
    "POST /flags": () => control.addFlag(body as Flag),
    "POST /insights": () => control.addInsight(body as Insight),
    "POST /issues": () => done(() => control.addIssue(body as Issue)),
    "PATCH /settings": () => done(() => control.set(body as Parameters<Control["set"]>[0])),
    "POST /reset": () => done(() => control.reset()),
  };
  const action = actions[`${call.method} ${call.path}`];
  if (!action) throw new Refusal(404, `the stand-in knows: ${Object.keys(actions).join(", ")}`);
  return action();
}

type WireEvent = Omit<GivenEvent, "at" | "arrivesAt"> & { at: number | string; arrivesAt?: number | string };

function toEvents(items: unknown): GivenEvent[] {
  if (!Array.isArray(items)) throw new Refusal(400, "items is no list");
  return (items as WireEvent[]).map(({ at, arrivesAt, ...rest }) => ({
    ...rest,
    at: toMs(at),
    ...(arrivesAt !== undefined && { arrivesAt: toMs(arrivesAt) }),
  }));
}

function done(act: () => unknown): Json {
  act();
  return { done: true };
}

function show(state: State): Json {
  const { flags, insights, annotations, issues, scopes, projectId } = state;
  return {
    projectId,
    now: toTime(state.now()),
    events: state.events.size,
    flags,
    insights,
    annotations,
    issues,
    scopes,
  };
}
