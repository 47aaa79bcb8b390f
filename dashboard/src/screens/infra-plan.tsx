import { type Signal, useSignal } from "@preact/signals";
import type { BlueprintApply, BlueprintPlan } from "@signalbox/common/contracts/blueprint.ts";
import type { ComponentChildren } from "preact";
import { nowMs } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { useReloadOn } from "../app/items.ts";
import { useQuery } from "../app/query.ts";
import { navigate, search, setParam } from "../app/router.ts";
import { toCurl } from "../domain/curl.ts";
import { toPreview } from "../domain/diff.ts";
import { formatDuration } from "../domain/time.ts";
import { actorName, countOf, shortId } from "../domain/words.ts";
import { CallProblem, ConfirmCall, useCall } from "../ui/call.tsx";
import { FlagField } from "../ui/field.tsx";
import { Empty, Note, Panel, QueryNote } from "../ui/parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { CopyButton, toast } from "../ui/toast.tsx";
import { When } from "../ui/when.tsx";

/** A plan that has nothing to do comes without an id, because there is nothing to apply. */
export type Plan = Omit<BlueprintPlan, "planId" | "expiresAt" | "fingerprint"> & Partial<BlueprintPlan>;
type Step = BlueprintPlan["steps"][number];

export function PlanTab() {
  const plan = useSignal<Plan | null>(null);
  const applyId = search.value.get("apply");
  return (
    <>
      <PlanHead plan={plan} />
      {applyId && <ApplyView key={applyId} id={applyId} />}
      {plan.value && <PlanView plan={plan.value} onApplied={() => (plan.value = null)} />}
      {!plan.value && !applyId && (
        <Empty title="Nothing is planned">
          <p>
            A plan reads Render and the blueprint and lists what would change, step by step. Nothing is changed by
            planning; what you apply is exactly the plan that you read.
          </p>
        </Empty>
      )}
    </>
  );
}

function PlanHead({ plan }: { plan: Signal<Plan | null> }) {
  const app = useApp();
  const call = useCall();
  const prune = useSignal(false);
  const body = { dryRun: true, ...(prune.value ? { prune: true } : {}) };
  const path = "/render/blueprint/apply";
  const make = () =>
    void call.run(
      () => app.rest.call<Plan>("renderctl", path, { method: "POST", body }),
      (answer) => {
        plan.value = answer;
        setParam("apply", null);
      },
    );
  return (
    <>
      <div class="actions">
        <button type="button" class="button button-primary" disabled={call.busy.value} onClick={make}>
          {call.busy.value ? "Reading Render…" : plan.value ? "Plan again" : "Plan"}
        </button>
        <FlagField
          id="plan-prune"
          label="Also delete what the blueprint made before and no longer names"
          value={prune.value}
          onValue={(next) => (prune.value = next)}
        />
        <CopyButton
          text={toCurl({ method: "POST", url: app.rest.urlOf("renderctl", path) ?? "", body })}
          what="Command"
        >
          Copy as curl
        </CopyButton>
      </div>
      <CallProblem call={call} />
    </>
  );
}

function countActions(steps: readonly Step[]): string {
  const parts = (["create", "update", "delete", "link", "deploy"] as const).flatMap((action) => {
    const count = steps.filter((step) => step.action === action).length;
    return count === 0 ? [] : [`${count} to ${action}`];
  });
  const deploys = steps.filter((step) => step.causesDeploy).length;
  return [...parts, deploys > 0 ? `${countOf(deploys, "deploy")} caused` : "no deploy caused"].join(", ");
}

export function PlanView({ plan, onApplied }: { plan: Plan; onApplied: () => void }) {
  const leftMs = plan.expiresAt ? Date.parse(plan.expiresAt) - nowMs.value : 0;
  const isEmpty = plan.steps.length === 0;
  const isOver = !isEmpty && leftMs <= 0;
  const open = useSignal(false);
  return (
    <>
      {isOver && <Note lamp="warn">This plan has expired. Plan again to see what would change now.</Note>}
      <Panel
        title={isEmpty ? "Nothing to do" : `Plan ${shortId(plan.planId ?? "")}`}
        meta={isEmpty || isOver ? "" : `can be applied for ${formatDuration(leftMs)}`}
      >
        <div class="panel-body plan-sum">
          <p>
            {isEmpty
              ? "Render is as the blueprint says, as far as a plan can put it right."
              : `${countActions(plan.steps)}.`}
          </p>
          {!isEmpty && (
            <button type="button" class="button button-primary" disabled={isOver} onClick={() => (open.value = true)}>
              Apply plan {shortId(plan.planId ?? "")}
            </button>
          )}
        </div>
        <StepList steps={plan.steps} />
      </Panel>
      <PlanRest plan={plan} />
      {open.value && <ApplyDialog plan={plan} onClose={() => (open.value = false)} onApplied={onApplied} />}
    </>
  );
}

function ApplyDialog({ plan, onClose, onApplied }: { plan: Plan; onClose: () => void; onApplied: () => void }) {
  const app = useApp();
  const deletes = plan.steps.filter((step) => step.action === "delete");
  return (
    <ConfirmCall<{ applyId: string | null }>
      title="Apply this plan?"
      button={`Apply plan ${shortId(plan.planId ?? "")}`}
      danger={deletes.length > 0}
      onClose={onClose}
      send={() =>
        app.rest.call("renderctl", "/render/blueprint/apply", { method: "POST", body: { planId: plan.planId } })
      }
      onDone={({ applyId }) => {
        toast("The apply has begun");
        onApplied();
        navigate(`/infra?tab=plan&apply=${applyId}`);
      }}
    >
      <p>
        {countActions(plan.steps)}. Exactly the plan you have read is applied; if Render or the blueprint changed since,
        it is refused and nothing is done.
      </p>
      {deletes.length > 0 && (
        <Note lamp="warn">
          Deletes for good: <strong>{deletes.map((step) => step.resource).join(", ")}</strong>
        </Note>
      )}
    </ConfirmCall>
  );
}

type ShownStep = Pick<Step, "id" | "resource" | "action" | "changes" | "causesDeploy" | "reason">;

function StepList({ steps, stateOf }: { steps: readonly ShownStep[]; stateOf?: (index: number) => ComponentChildren }) {
  return (
    <ol class="steps">
      {steps.map((step, index) => (
        <li key={step.id} class="step">
          <p class="step-head">
            <span class={`tag tag-${step.action}`}>{step.action}</span>
            <strong>{step.resource}</strong>
            {step.causesDeploy && <span class="muted">causes a deploy</span>}
            <span class="step-state">{stateOf?.(index)}</span>
          </p>
          {step.reason && <p class="muted">{step.reason}</p>}
          {step.changes.length > 0 && (
            <ul class="step-changes mono">
              {step.changes.map((change) => (
                <li key={change.field}>
                  <span class="change-path">{change.field}</span>
                  <span class="change-from">{change.from === null ? "none" : toPreview(change.from, 120)}</span>
                  <span aria-hidden="true">→</span>
                  <span class="hidden"> becomes </span>
                  <span class="change-to">{toPreview(change.to, 300)}</span>
                </li>
              ))}
            </ul>
          )}
        </li>
      ))}
    </ol>
  );
}

/** What a plan cannot or will not do, with the reason; a person may have to. */
function PlanRest({ plan }: { plan: Plan }) {
  const notes: [string, string, string[]][] = [
    ["Needs a value from you", "warn", plan.needsValue.map(({ resource, key }) => `${resource} ${key}`)],
    ["Cannot be put right", "warn", plan.blocked.map((part) => `${part.resource} ${part.field}: ${part.reason}`)],
    ["On Render and not in the blueprint", "", plan.orphans.map((part) => `${part.resource}: ${part.reason}`)],
    ["Left alone", "", plan.unmanaged.map((part) => `${part.resource} ${part.field}: ${part.reason}`)],
    ["Not carried out", "", plan.unsupported.map((part) => `${part.resource} ${part.field}: ${part.reason}`)],
  ];
  return (
    <>
      {notes.map(([title, lamp, items]) =>
        items.length === 0 ? null : (
          <details key={title} class="panel settings-all" open={lamp !== ""}>
            <summary>
              {title}: {items.length}
            </summary>
            <ul class="panel-body plan-notes">
              {items.map((item) => (
                <li key={item}>{item}</li>
              ))}
            </ul>
          </details>
        ),
      )}
    </>
  );
}

type ApplyStep = BlueprintApply["steps"][number];
const stepLamps: Record<ApplyStep["state"], Lamp> = {
  pending: "queued",
  running: "running",
  done: "completed",
  failed: "failed",
  skipped: "canceled",
  unknown: "unknown",
};
const applyLamps: Record<BlueprintApply["state"], Lamp> = {
  requested: "queued",
  running: "running",
  done: "completed",
  failed: "failed",
};

/** The ledger of one apply, as it is written. */
function ApplyView({ id }: { id: string }) {
  const app = useApp();
  const query = useQuery<BlueprintApply>(`apply ${id}`, (signal) =>
    app.rest.call("renderctl", `/render/applies/${encodeURIComponent(id)}`, { signal }),
  );
  const state = query.state.value;
  const apply = state.data;
  useReloadOn(query.reload, (batch) => batch.events.some(({ taskId }) => taskId === apply?.taskId));
  return (
    <>
      <QueryNote query={state} onRetry={query.reload} rows={6} />
      {apply && (
        <Panel
          title={`Apply ${shortId(apply.id)}`}
          meta={apply.taskId ? <a href={`/tasks/${apply.taskId}`}>its task</a> : ""}
        >
          <p class="panel-body">
            <LampWord lamp={applyLamps[apply.state]}>{apply.state}</LampWord> by {actorName(apply.actor)},{" "}
            <When at={apply.createdAt} />
            {apply.error && <span class="lamp-failed"> {apply.error}</span>}
          </p>
          <StepList
            steps={apply.steps}
            stateOf={(index) => {
              const step = apply.steps[index];
              return step ? <LampWord lamp={stepLamps[step.state]}>{step.error ?? step.state}</LampWord> : null;
            }}
          />
        </Panel>
      )}
    </>
  );
}
