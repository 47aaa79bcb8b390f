import { type Signal, useSignal } from "@preact/signals";
import type { Adoption } from "@signalbox/common/contracts/blueprint.ts";
import { useEffect, useRef } from "preact/hooks";
import { useApp } from "../app/context.ts";
import { useQuery } from "../app/query.ts";
import { CallProblem, useCall } from "../ui/call.tsx";
import { Dialog, DialogActions } from "../ui/dialog.tsx";
import { QueryNote } from "../ui/parts.tsx";
import { CopyButton } from "../ui/toast.tsx";
import { type Plan, PlanView } from "./infra-plan.tsx";

/* A drift ends in one of two ways: Render is put back, by a plan that is read first, or the blueprint takes in what is live. */

export type DriftActs = {
  /** Asks for the plan that puts back one resource; all of them without a name. */
  revert: (resource?: string) => void;
  adopt: (resource?: string) => void;
  isBusy: boolean;
};

const chosen = (resource?: string) => (resource === undefined ? {} : { items: [{ resource }] });

/** The two ways, and what they show. */
export function useDriftActs() {
  const app = useApp();
  const call = useCall();
  const plan = useSignal<Plan | null>(null);
  const adopting = useSignal<{ resource?: string } | null>(null);
  const acts: DriftActs = {
    revert: (resource) =>
      void call.run(
        () => app.rest.call<Plan>("renderctl", "/render/drift/revert", { method: "POST", body: chosen(resource) }),
        (answer) => {
          plan.value = answer;
        },
      ),
    adopt: (resource) => {
      adopting.value = resource === undefined ? {} : { resource };
    },
    isBusy: call.busy.value,
  };
  const shown = (
    <>
      <CallProblem call={call} />
      {acts.isBusy && (
        <p class="muted" role="status">
          Reading Render and the blueprint…
        </p>
      )}
      <RevertPlan plan={plan} />
      {adopting.value && (
        <AdoptDialog
          resource={adopting.value.resource}
          onClose={() => {
            adopting.value = null;
          }}
        />
      )}
    </>
  );
  return { acts, shown };
}

export function DriftButtons({ acts, resource }: { acts: DriftActs; resource?: string }) {
  const look = resource === undefined ? "button" : "button button-quiet";
  const about = <span class="hidden"> {resource}</span>;
  return (
    <>
      <button type="button" class={look} onClick={() => acts.adopt(resource)}>
        {resource === undefined ? "Take all in" : "Take in"}
        {about}
      </button>
      <button type="button" class={look} disabled={acts.isBusy} onClick={() => acts.revert(resource)}>
        {resource === undefined ? "Put all back" : "Put back"}
        {about}
      </button>
    </>
  );
}

/** The button may be far down the page: the plan it asked for gets the focus. */
function RevertPlan({ plan }: { plan: Signal<Plan | null> }) {
  const place = useRef<HTMLDivElement>(null);
  const { value } = plan;
  useEffect(() => {
    if (!value) return;
    place.current?.focus({ preventScroll: true });
    place.current?.scrollIntoView();
  }, [value]);
  if (!value) return null;
  return (
    <div class="drift-plan" ref={place} tabIndex={-1}>
      <PlanView plan={value} onApplied={() => (plan.value = null)} />
    </div>
  );
}

/** The patch that brings the blueprint to what is live. Nothing is written by reading it. */
function AdoptDialog({ resource, onClose }: { resource?: string; onClose: () => void }) {
  const app = useApp();
  const query = useQuery<Adoption>(`adopt ${resource ?? ""}`, (signal) =>
    app.rest.call("renderctl", "/render/drift/adopt", { method: "POST", body: chosen(resource), signal }),
  );
  const state = query.state.value;
  const made = state.data;
  return (
    <Dialog title={`Take in what is live: ${resource ?? "everything"}`} onClose={onClose} class="dialog-wide">
      <p>
        The blueprint follows Render. Nothing is changed here: save the patch, <code>git apply</code> it and commit it
        like any other change. Values of variables are never in it.
      </p>
      <QueryNote query={state} onRetry={query.reload} rows={6} />
      {made?.patch && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <pre class="evidence mono" tabIndex={0}>
          {made.patch}
        </pre>
      )}
      {made && made.patch === "" && <p class="muted">Nothing of it can be taken in by a patch.</p>}
      {made && made.left.length > 0 && (
        <>
          <p>
            <strong>To be written by hand:</strong>
          </p>
          <ul class="plan-notes">
            {made.left.map((one) => (
              <li key={`${one.resource} ${one.field}`}>
                <strong>{`${one.resource} ${one.field}`.trim()}</strong>: {one.reason}
              </li>
            ))}
          </ul>
        </>
      )}
      <DialogActions onClose={onClose}>
        {made?.patch && (
          <CopyButton text={made.patch} what="Patch">
            Copy the patch
          </CopyButton>
        )}
      </DialogActions>
    </Dialog>
  );
}
