import { useSignal } from "@preact/signals";
import type { Delivery, DeliveryAccepted, DeliveryWithBody } from "@signalbox/common/contracts/webhook.ts";
import { useApp } from "../app/context.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { useKeys } from "../app/keys.ts";
import { useQuery } from "../app/query.ts";
import { navigate, search, setParam } from "../app/router.ts";
import { matchesRow, toApi } from "../domain/filter.ts";
import { deliveryVocabulary } from "../domain/vocabularies-more.ts";
import { countOf, shortId } from "../domain/words.ts";
import { ConfirmCall } from "../ui/call.tsx";
import { FilterBar, useFilter } from "../ui/filter-bar.tsx";
import { JsonTree } from "../ui/json.tsx";
import { Empty, PageHead, Panel, QueryNote, TableHead } from "../ui/parts.tsx";
import { CopyCurl, Fact, MoreButton, useLinkKeys } from "../ui/screen-parts.tsx";
import { type Lamp, LampWord } from "../ui/status.tsx";
import { CopyButton, toast } from "../ui/toast.tsx";
import { Age, When } from "../ui/when.tsx";

const outcomeLamps: Record<Delivery["outcome"], Lamp> = {
  accepted: "completed",
  ignored: "off",
  failed: "failed",
  ping: "ok",
  unreadable: "warn",
};

export function DeliveriesScreen() {
  const filter = useFilter(deliveryVocabulary);
  const { query } = toApi(filter.terms, deliveryVocabulary, 0);
  const deliveries = useItems<Delivery>("orchestrator", "/webhooks/deliveries", query);
  useReloadOn(deliveries.query.reload, (batch) => batch.events.some(({ kind }) => kind === "created"));
  useLinkKeys(".delivery-list", "delivery");
  const rows = deliveries.rows.filter((row) => matchesRow(row, filter.terms, deliveryVocabulary, 0));
  const state = deliveries.query.state.value;
  const selected = search.value.get("sel");
  return (
    <>
      <PageHead
        title="Deliveries"
        actions={<CopyCurl service="orchestrator" path="/webhooks/deliveries" query={query} />}
      >
        Webhooks as they came in: whether they were signed, which rules took them, what they made.
      </PageHead>
      <FilterBar vocabulary={deliveryVocabulary} filter={filter} label="Filter deliveries" ranges={false} />
      <QueryNote query={state} onRetry={deliveries.query.reload} rows={6} />
      {state.data && rows.length === 0 && selected === null && <NoDeliveries isFiltered={filter.terms.length > 0} />}
      <div class={selected ? "split" : ""}>
        {rows.length > 0 && <DeliveryTable rows={rows} selected={selected} />}
        {selected && <DeliveryView key={selected} id={selected} onReplayed={deliveries.query.reload} />}
      </div>
      <MoreButton items={deliveries} />
    </>
  );
}

function NoDeliveries({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered)
    return (
      <Empty title="No delivery matches this filter">
        <p>Those that match from now on appear here by themselves.</p>
      </Empty>
    );
  return (
    <Empty title="No webhook has come in yet">
      <p>
        Point GitHub at <code>/webhooks/github</code> with the secret <code>GITHUB_WEBHOOK_SECRET</code>, or any sender
        at <code>/webhooks/:source</code> with one in <code>WEBHOOK_SECRETS</code>. The rules are in{" "}
        <code>infra/webhook-rules.yaml</code>.
      </p>
    </Empty>
  );
}

function DeliveryTable({ rows, selected }: { rows: readonly Delivery[]; selected: string | null }) {
  return (
    <Panel title="Deliveries" meta={`${countOf(rows.length, "delivery", "deliveries")} loaded`} class="delivery-list">
      <table class="table cards">
        <TableHead names={["Event", "Source", "Outcome", "Tasks", "Again", "Came"]} />
        <tbody>
          {rows.map((delivery) => (
            <tr key={delivery.id} class={delivery.id === selected ? "row-selected" : ""}>
              <th scope="row">
                <button
                  type="button"
                  class="link-plain strong"
                  data-focus
                  aria-pressed={delivery.id === selected}
                  onClick={() => setParam("sel", delivery.id === selected ? null : delivery.id)}
                >
                  {delivery.event ?? "no event"}
                  {delivery.action ? `.${delivery.action}` : ""}
                </button>
              </th>
              <td data-label="Source">{delivery.source}</td>
              <td data-label="Outcome">
                <LampWord lamp={outcomeLamps[delivery.outcome]}>{delivery.outcome}</LampWord>
              </td>
              <td data-label="Tasks">{delivery.taskIds.length === 0 ? "–" : delivery.taskIds.length}</td>
              <td data-label="Again">{delivery.duplicates === 0 ? "–" : `${delivery.duplicates}×`}</td>
              <td data-label="Came">
                <Age at={delivery.receivedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function DeliveryView({ id, onReplayed }: { id: string; onReplayed: () => void }) {
  const app = useApp();
  const path = `/webhooks/deliveries/${encodeURIComponent(id)}`;
  const query = useQuery<DeliveryWithBody>(path, (signal) => app.rest.call("orchestrator", path, { signal }));
  const asking = useSignal(false);
  useKeys({ Escape: ["Close the delivery", () => setParam("sel", null)] });
  const state = query.state.value;
  const delivery = state.data;
  return (
    <div class="split-side">
      <QueryNote query={state} onRetry={query.reload} rows={8} />
      {delivery && <DeliveryPanels delivery={delivery} onReplay={() => (asking.value = true)} />}
      {asking.value && delivery && (
        <ReplayDialog
          delivery={delivery}
          onClose={() => (asking.value = false)}
          onDone={({ tasks }) => {
            onReplayed();
            query.reload();
            const [only] = tasks;
            if (only && tasks.length === 1) navigate(`/tasks/${only}`);
            else toast(tasks.length === 0 ? "No rule took it" : `${tasks.length} tasks were made`);
          }}
        />
      )}
    </div>
  );
}

type ReplayProps = { delivery: Delivery; onClose: () => void; onDone: (body: DeliveryAccepted) => void };

function ReplayDialog({ delivery, onClose, onDone }: ReplayProps) {
  const app = useApp();
  return (
    <ConfirmCall<DeliveryAccepted>
      title="Replay this delivery?"
      button="Replay"
      onClose={onClose}
      onDone={onDone}
      send={() => app.rest.call("orchestrator", `/webhooks/deliveries/${delivery.id}/replay`, { method: "POST" })}
    >
      <p>
        The rules of now run on it once more and make new tasks, also where a duplicate would make none. The new task is
        opened.
      </p>
    </ConfirmCall>
  );
}

function DeliveryPanels({ delivery, onReplay }: { delivery: DeliveryWithBody; onReplay: () => void }) {
  return (
    <>
      <Panel
        title={`${delivery.source} ${delivery.event ?? ""}`}
        meta={
          <>
            <button
              type="button"
              class="button button-primary"
              disabled={delivery.body === null || delivery.outcome === "unreadable"}
              onClick={onReplay}
            >
              Replay
            </button>
            <button type="button" class="button button-quiet" onClick={() => setParam("sel", null)}>
              Close
            </button>
          </>
        }
      >
        <dl class="facts panel-body">
          <Fact name="came">
            <When at={delivery.receivedAt} form="date-time" />
          </Fact>
          <Fact name="outcome">
            <LampWord lamp={outcomeLamps[delivery.outcome]}>{delivery.outcome}</LampWord>
          </Fact>
          <Fact name="signature">good, by the {delivery.signature} secret</Fact>
          <Fact name="sender's id">
            <span class="mono">{delivery.deliveryId}</span>
          </Fact>
          <Fact name="came again">{delivery.duplicates === 0 ? "never" : countOf(delivery.duplicates, "time")}</Fact>
        </dl>
      </Panel>
      <RulesPanel delivery={delivery} />
      <Panel
        title="Body"
        meta={<CopyButton text={JSON.stringify(delivery.body, null, 2)} what="Body" />}
        class="panel-folded"
      >
        <div class="panel-body">
          {delivery.body === null ? (
            <p class="muted">Bodies are forgotten after 30 days.</p>
          ) : (
            <JsonTree value={delivery.body} />
          )}
        </div>
      </Panel>
    </>
  );
}

const ruleLamps = { made: "completed", duplicate: "off", failed: "failed" } as const;

function RulesPanel({ delivery }: { delivery: DeliveryWithBody }) {
  return (
    <Panel title="Rules" meta={countOf(delivery.rules.length, "result")}>
      {delivery.rules.length === 0 && <p class="panel-body muted">No rule takes it.</p>}
      <ul>
        {delivery.rules.map((rule) => (
          <li key={`${rule.rule} ${rule.run}`} class="cause">
            <LampWord lamp={ruleLamps[rule.outcome]}>{rule.outcome}</LampWord>
            <div>
              <strong>{rule.rule}</strong>
              {rule.run > 1 && <span class="muted"> replay {rule.run - 1}</span>}
              {rule.taskId && (
                <>
                  {" "}
                  <a class="text-link" href={`/tasks/${rule.taskId}`}>
                    task {shortId(rule.taskId)}
                  </a>
                </>
              )}
              {rule.reason && <p class="muted">{rule.reason}</p>}
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
