import type { DriftList } from "@signalbox/common/contracts/blueprint.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { hasNewsOf } from "../app/news.ts";
import { toPreview } from "../domain/diff.ts";
import { countOf } from "../domain/words.ts";
import { Empty, Panel, QueryNote, TableHead } from "../ui/parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { Age } from "../ui/when.tsx";

type Drift = DriftList["items"][number];

const kindLamps: Record<Drift["kind"], Lamp> = { missing: "failed", changed: "warn", extra: "waiting" };
const kindWords: Record<Drift["kind"], string> = {
  missing: "not on Render",
  changed: "differs",
  extra: "not in the blueprint",
};

/** Where Render differs from the blueprint; of one resource when it is named. */
export function DriftPanel({ resource }: { resource?: string }) {
  const drifts = useItems<Drift>("renderctl", "/render/drift");
  useReloadOn(drifts.query.reload, (batch) => hasNewsOf(batch, "renderctl"));
  const rows = drifts.rows.filter((drift) => resource === undefined || drift.resource === resource);
  const groups = Map.groupBy(rows, (drift) => drift.resource);
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
      {[...groups].map(([name, items]) => (
        <DriftOf key={name} resource={name} drifts={items} />
      ))}
    </>
  );
}

function DriftOf({ resource, drifts }: { resource: string; drifts: readonly Drift[] }) {
  const taskId = drifts.find((drift) => drift.taskId !== null)?.taskId;
  return (
    <Panel
      title={resource}
      meta={
        taskId ? (
          <a href={`/tasks/${taskId}`}>putting it right waits for approval</a>
        ) : (
          countOf(drifts.length, "difference")
        )
      }
    >
      <table class="table drift-table">
        <TableHead names={["Field", "Blueprint", "Render", "State", "For"]} />
        <tbody>
          {drifts.map((drift) => (
            <tr key={drift.field}>
              <th scope="row" class="mono">
                {drift.field || "the resource"}
              </th>
              <td class="mono" data-label="Blueprint">
                {toPreview(drift.expected, 200)}
              </td>
              <td class="mono" data-label="Render">
                {toPreview(drift.actual, 200)}
              </td>
              <td>
                <LampWord lamp={kindLamps[drift.kind]}>{kindWords[drift.kind]}</LampWord>
              </td>
              <td>
                <Age at={drift.since} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
