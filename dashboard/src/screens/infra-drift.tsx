import type { DriftList } from "@signalbox/common/contracts/blueprint.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { hasNewsOf } from "../app/news.ts";
import { toPreview } from "../domain/diff.ts";
import { countOf } from "../domain/words.ts";
import { Empty, Panel, QueryNote, TableHead } from "../ui/parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { Age } from "../ui/when.tsx";
import { type DriftActs, DriftButtons, useDriftActs } from "./infra-drift-acts.tsx";

type Drift = DriftList["items"][number];

const kindLamps: Record<Drift["kind"], Lamp> = { missing: "failed", changed: "warn", extra: "waiting" };
const kindWords: Record<Drift["kind"], string> = {
  missing: "not on Render",
  changed: "differs",
  extra: "not in the blueprint",
};

/** Where Render differs from the blueprint, and the two ways to end it; of one resource when it is named. */
export function DriftPanel({ resource }: { resource?: string }) {
  const drifts = useItems<Drift>("renderctl", "/render/drift");
  useReloadOn(drifts.query.reload, (batch) => hasNewsOf(batch, "renderctl"));
  const { acts, shown } = useDriftActs();
  const rows = drifts.rows.filter((drift) => resource === undefined || drift.resource === resource);
  const state = drifts.query.state.value;
  return (
    <>
      <QueryNote query={state} onRetry={drifts.query.reload} rows={5} />
      {state.data && rows.length === 0 && (
        <Empty title="Nothing has drifted">
          <p>
            {resource ? "This service is as the blueprint says." : "Render is as the blueprint says."} What differs is
            listed here field by field, with both sides and since when.
          </p>
        </Empty>
      )}
      {rows.length > 0 && <DriftSum drifts={rows} acts={acts} resource={resource} />}
      {shown}
      <DriftTables drifts={rows} acts={acts} />
    </>
  );
}

function DriftSum({ drifts, acts, resource }: { drifts: readonly Drift[]; acts: DriftActs; resource?: string }) {
  const resources = new Set(drifts.map((drift) => drift.resource)).size;
  return (
    <div class="panel panel-body plan-sum">
      <p>
        <strong>
          {countOf(drifts.length, "difference")} in {countOf(resources, "resource")}.
        </strong>{" "}
        <span class="muted">Take in what is live and the blueprint follows; put back and Render follows.</span>
      </p>
      <div class="actions">
        <DriftButtons acts={acts} resource={resource} />
      </div>
    </div>
  );
}

/** What is there on one side only is one line; what differs in its fields has a table of its own. */
function DriftTables({ drifts, acts }: { drifts: readonly Drift[]; acts: DriftActs }) {
  const whole = drifts.filter(({ field }) => field === "");
  const groups = Map.groupBy(
    drifts.filter(({ field }) => field !== ""),
    (drift) => drift.resource,
  );
  return (
    <>
      {[...groups].map(([name, items]) => (
        <FieldDrifts key={name} resource={name} drifts={items} acts={acts} />
      ))}
      {whole.length > 0 && <WholeDrifts drifts={whole} acts={acts} />}
    </>
  );
}

function TaskLink({ drifts }: { drifts: readonly Drift[] }) {
  const taskId = drifts.find((drift) => drift.taskId !== null)?.taskId;
  return taskId ? <a href={`/approvals?sel=${taskId}`}>putting it back waits for approval</a> : null;
}

/** The last deed on the resource by Render's audit log; it need not have been this change. */
function Witness({ drift: { whoCanTell } }: { drift: Drift }) {
  if (!whoCanTell) return <span class="muted">not known</span>;
  return (
    <>
      {whoCanTell.by}{" "}
      <span class="muted">
        {whoCanTell.what}, <Age at={whoCanTell.at} /> ago
      </span>
    </>
  );
}

function WholeDrifts({ drifts, acts }: { drifts: readonly Drift[]; acts: DriftActs }) {
  return (
    <Panel title="On one side only" meta={<TaskLink drifts={drifts} />}>
      <table class="table cards">
        <TableHead names={["Resource", "State", "For", "Who can tell", ""]} hidden="Actions" />
        <tbody>
          {drifts.map((drift) => (
            <tr key={drift.resource}>
              <th scope="row">{drift.resource}</th>
              <DriftCells drift={drift} />
              <td class="row-actions">
                <DriftButtons acts={acts} resource={drift.resource} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function DriftCells({ drift }: { drift: Drift }) {
  return (
    <>
      <td data-label="State">
        <LampWord lamp={kindLamps[drift.kind]}>{kindWords[drift.kind]}</LampWord>
      </td>
      <td data-label="For">
        <Age at={drift.since} />
      </td>
      <td data-label="Who can tell">
        <Witness drift={drift} />
      </td>
    </>
  );
}

function FieldDrifts({ resource, drifts, acts }: { resource: string; drifts: readonly Drift[]; acts: DriftActs }) {
  return (
    <Panel
      title={resource}
      meta={
        <>
          <TaskLink drifts={drifts} />
          <DriftButtons acts={acts} resource={resource} />
        </>
      }
    >
      <table class="table cards drift-table">
        <TableHead names={["Field", "Blueprint", "Render", "State", "For", "Who can tell"]} />
        <tbody>
          {drifts.map((drift) => (
            <tr key={drift.field}>
              <th scope="row" class="mono">
                {drift.field}
              </th>
              <td class="mono" data-label="Blueprint">
                {toPreview(drift.expected, 200)}
              </td>
              <td class="mono" data-label="Render">
                {toPreview(drift.actual, 200)}
              </td>
              <DriftCells drift={drift} />
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
