import type { Agent, AgentType } from "@signalbox/common/contracts/agent.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { hasNewsOf } from "../app/news.ts";
import { search, setParam } from "../app/router.ts";
import { formatDuration } from "../domain/time.ts";
import { countOf } from "../domain/words.ts";
import { JsonTree } from "../ui/json.tsx";
import { Empty, PageHead, QueryNote, TableHead } from "../ui/parts.tsx";
import { CopyCurl, MoreButton, useLinkKeys } from "../ui/screen-parts.tsx";
import { LampWord } from "../ui/status.tsx";
import { Age } from "../ui/when.tsx";

export function AgentsScreen() {
  const agents = useItems<Agent>("orchestrator", "/agents");
  useLinkKeys(".agent", "agent");
  useReloadOn(
    agents.query.reload,
    (batch) =>
      hasNewsOf(batch, "orchestrator") ||
      batch.events.some(({ kind }) => kind === "started" || kind === "completed" || kind === "failed"),
  );
  const state = agents.query.state.value;
  const groups = Map.groupBy(agents.rows, ({ name }) => name);
  const live = agents.rows.filter((agent) => agent.state === "live").length;
  return (
    <>
      <PageHead title="Agents" actions={<CopyCurl service="orchestrator" path="/agents" />}>
        {state.data
          ? `${countOf(live, "live instance")} of ${countOf(groups.size, "agent")}. One that is silent for 30 s is stale and gets no task.`
          : "Who runs tasks."}
      </PageHead>
      <QueryNote query={state} onRetry={agents.query.reload} rows={6} />
      {state.data && groups.size === 0 && (
        <Empty title="No agent has registered yet">
          <p>
            An agent is any service that answers a POST and says so every ten seconds.{" "}
            <code>npx pnpm signalbox new-agent</code> makes one.
          </p>
        </Empty>
      )}
      {[...groups].map(([name, instances]) => (
        <AgentPanel key={name} name={name} instances={instances} />
      ))}
      <MoreButton items={agents} />
    </>
  );
}

function AgentPanel({ name, instances }: { name: string; instances: readonly Agent[] }) {
  const isOpen = search.value.get("sel") === name;
  const running = instances.reduce((sum, agent) => sum + agent.running, 0);
  const isLive = instances.some(({ state }) => state === "live");
  return (
    <section class="panel agent" aria-label={name}>
      <header class="panel-head">
        <h2>
          <button
            type="button"
            class="link-plain"
            data-focus
            aria-expanded={isOpen}
            onClick={() => setParam("sel", isOpen ? null : name)}
          >
            {name}
          </button>
        </h2>
        <LampWord lamp={isLive ? "ok" : "warn"}>{isLive ? "live" : "stale"}</LampWord>
        <div class="panel-meta">
          {countOf(instances.length, "instance")}, {running} running
        </div>
      </header>
      <InstanceTable instances={instances} />
      <TypeList types={instances[0]?.types ?? []} isOpen={isOpen} />
    </section>
  );
}

function InstanceTable({ instances }: { instances: readonly Agent[] }) {
  return (
    <table class="table cards">
      <TableHead names={["Instance", "State", "Running", "Last heard", "Address"]} />
      <tbody>
        {instances.map((agent) => (
          <tr key={agent.instance}>
            <th scope="row" class="mono">
              {agent.instance}
            </th>
            <td data-label="State">
              <LampWord lamp={agent.state === "live" ? "ok" : "warn"}>{agent.state}</LampWord>
            </td>
            <td data-label="Running">{agent.running}</td>
            <td data-label="Last heard">
              <Age at={agent.lastSeenAt} />
            </td>
            <td class="mono" data-label="Address">
              {agent.url}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function TypeList({ types, isOpen }: { types: readonly AgentType[]; isOpen: boolean }) {
  return (
    <ul class="agent-types">
      {types.map((type) => (
        <li key={type.type} class="cause">
          <div>
            <a class="strong" href={`/tasks?type=${encodeURIComponent(type.type)}`} title="Its tasks">
              {type.type}
            </a>{" "}
            {type.approval === "required" && <span class="tag">needs approval</span>}
            <p class="muted">
              {type.description ? `${type.description}. ` : ""}
              {[
                `${type.maxConcurrency ?? 10} at once`,
                `priority ${type.priority ?? 0}`,
                type.timeoutMs ? `time-out ${formatDuration(type.timeoutMs)}` : "",
              ]
                .filter((part) => part !== "")
                .join(", ")}
            </p>
            {isOpen && type.payloadSchema && <JsonTree value={type.payloadSchema} />}
          </div>
          <a class="button button-quiet" href={`/new-task?type=${encodeURIComponent(type.type)}`}>
            New task<span class="hidden"> of {type.type}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}
