import { type Signal, useSignal } from "@preact/signals";
import type { Task, TaskList } from "@signalbox/common/contracts/task.ts";
import { serverNow } from "../app/clock.ts";
import { type App, useApp } from "../app/context.ts";
import { type Term, toApi, writeFilter } from "../domain/filter.ts";
import { taskVocabulary } from "../domain/vocabularies.ts";
import { countOf, formatCount, hasEnded, shortId } from "../domain/words.ts";
import { Dialog, DialogActions } from "../ui/dialog.tsx";
import { Note } from "../ui/parts.tsx";

/*
 * One action on many tasks: the selected ones, or all that match. Which tasks they are is fixed before anything is confirmed, so
 * that one that begins to match meanwhile is not touched; they are sent four at a time, and each refusal is listed.
 */

type Act = "cancel" | "retry";
type Outcome = { id: string; problem: string | null };
const AT_ONCE = 4;
const PAGE = 200;
const MOST = 10_000;

const fits = (act: Act, task: Task) => hasEnded(task.status) === (act === "retry");

async function readMatching(app: App, terms: readonly Term[]): Promise<Task[] | string> {
  const { query } = toApi(terms, taskVocabulary, serverNow());
  const tasks: Task[] = [];
  let cursor: string | undefined;
  do {
    const answer = await app.rest.call<TaskList>("orchestrator", "/tasks", {
      query: { ...query, limit: PAGE, cursor },
    });
    if (!answer.ok) return answer.failure.message;
    tasks.push(...answer.body.items);
    cursor = answer.body.nextCursor ?? undefined;
  } while (cursor !== undefined && tasks.length < MOST);
  return tasks;
}

async function sendAll(app: App, act: Act, ids: readonly string[], onOutcome: (outcome: Outcome) => void) {
  const rest = [...ids];
  const lane = async () => {
    for (let id = rest.shift(); id !== undefined; id = rest.shift()) {
      const answer = await app.rest.call("orchestrator", `/task/${id}/${act}`, { method: "POST", body: {} });
      onOutcome({ id, problem: answer.ok ? null : answer.failure.message });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

type BarProps = { selected: Signal<ReadonlyMap<string, Task>>; terms: readonly Term[]; hasLocal: boolean };
type Asked = { act: Act; tasks: readonly Task[]; words: string } | null;

/** Stands over the list while something is selected. */
export function BulkBar({ selected, terms, hasLocal }: BarProps) {
  const app = useApp();
  const asked = useSignal<Asked>(null);
  const problem = useSignal<string | null>(null);
  const reading = useSignal(false);
  const all = selected.value.size;
  const askAll = async (act: Act) => {
    reading.value = true;
    const found = await readMatching(app, terms);
    reading.value = false;
    problem.value = typeof found === "string" ? found : null;
    const filter = terms.length === 0 ? "every task" : `all that match ${writeFilter(terms, taskVocabulary)}`;
    if (typeof found !== "string") asked.value = { act, tasks: found, words: filter };
  };
  if (all === 0) return null;
  return (
    <fieldset class="bulk">
      <legend class="hidden">The selected tasks</legend>
      <strong>{countOf(all, "task")} selected</strong>
      {(["cancel", "retry"] as const).map((act) => (
        <button
          key={act}
          type="button"
          class="button"
          onClick={() => (asked.value = { act, tasks: [...selected.value.values()], words: "the selected tasks" })}
        >
          {act === "cancel" ? "Cancel" : "Retry"}
        </button>
      ))}
      {!hasLocal &&
        (["cancel", "retry"] as const).map((act) => (
          <button
            key={act}
            type="button"
            class="button button-quiet"
            disabled={reading.value}
            onClick={() => void askAll(act)}
          >
            {act === "cancel" ? "Cancel" : "Retry"} all that match
          </button>
        ))}
      <button type="button" class="button button-quiet" onClick={() => (selected.value = new Map())}>
        Clear
      </button>
      {problem.value && <span class="lamp-failed">{problem.value}</span>}
      {asked.value && (
        <BulkDialog
          asked={asked.value}
          onClose={() => {
            asked.value = null;
          }}
        />
      )}
    </fieldset>
  );
}

function BulkDialog({ asked, onClose }: { asked: NonNullable<Asked>; onClose: () => void }) {
  const app = useApp();
  const outcomes = useSignal<readonly Outcome[]>([]);
  const isSent = useSignal(false);
  const { act, words } = asked;
  const fitting = asked.tasks.filter((task) => fits(act, task));
  const others = asked.tasks.length - fitting.length;
  const send = () => {
    isSent.value = true;
    const ids = fitting.map(({ id }) => id);
    void sendAll(app, act, ids, (outcome) => {
      outcomes.value = [...outcomes.peek(), outcome];
    });
  };
  const verb = act === "cancel" ? "Cancel" : "Retry";
  return (
    <Dialog title={`${verb} ${countOf(fitting.length, "task")}?`} onClose={onClose}>
      <p>
        {words}: {countOf(asked.tasks.length, "task")}
        {others > 0 &&
          `, of which ${formatCount(others)} ${act === "cancel" ? "have ended" : "have not ended"} and stay`}
        . {act === "cancel" ? "Running ones are told to stop." : "They run again with the same payload."}
      </p>
      {isSent.value && <Progress outcomes={outcomes.value} total={fitting.length} />}
      <DialogActions onClose={onClose}>
        {!isSent.value && (
          <button
            type="button"
            class={act === "cancel" ? "button button-danger" : "button button-primary"}
            disabled={fitting.length === 0}
            onClick={send}
          >
            {verb} {countOf(fitting.length, "task")}
          </button>
        )}
      </DialogActions>
    </Dialog>
  );
}

function Progress({ outcomes, total }: { outcomes: readonly Outcome[]; total: number }) {
  const refused = outcomes.filter(({ problem }) => problem !== null);
  return (
    <Note lamp={refused.length > 0 ? "warn" : outcomes.length === total ? "ok" : "waiting"}>
      <p>
        {formatCount(outcomes.length - refused.length)} of {formatCount(total)} done
        {refused.length > 0 && `, ${formatCount(refused.length)} refused`}.
      </p>
      {refused.length > 0 && (
        <ul class="plan-notes bulk-refused">
          {refused.map(({ id, problem }) => (
            <li key={id}>
              <a class="mono" href={`/tasks/${id}`}>
                {shortId(id)}
              </a>{" "}
              {problem}
            </li>
          ))}
        </ul>
      )}
    </Note>
  );
}
