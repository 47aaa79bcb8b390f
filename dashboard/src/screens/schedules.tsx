import { useSignal } from "@preact/signals";
import type { Schedule } from "@signalbox/common/contracts/schedule.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { nowMs } from "../app/clock.ts";
import { useApp } from "../app/context.ts";
import { useItems, useReloadOn } from "../app/items.ts";
import { useKeys } from "../app/keys.ts";
import { useQuery } from "../app/query.ts";
import { navigate, search, setParam } from "../app/router.ts";
import { foretell } from "../domain/cron.ts";
import { describeCron, describeEvery } from "../domain/cron-words.ts";
import { formatDuration } from "../domain/time.ts";
import { shortId } from "../domain/words.ts";
import { ConfirmCall } from "../ui/call.tsx";
import { Empty, Note, PageHead, QueryNote } from "../ui/parts.tsx";
import { CopyCurl, Fact, MoreButton, useLinkKeys } from "../ui/screen-parts.tsx";
import { LampWord, StatusWord } from "../ui/status.tsx";
import { toast } from "../ui/toast.tsx";
import { When } from "../ui/when.tsx";
import { ScheduleDialog } from "./schedule-form.tsx";

type Act = "run" | "pause" | "delete" | "edit";
type Open = { act: Act; schedule: Schedule } | { act: "new" } | null;

export function SchedulesScreen() {
  const schedules = useItems<Schedule>("orchestrator", "/schedules");
  useReloadOn(schedules.query.reload, (batch) =>
    batch.events.some(({ kind, actor }) => kind === "created" && actor.includes("schedule")),
  );
  const open = useSignal<Open>(null);
  useLinkKeys(".schedule", "schedule");
  useKeys({ n: ["New schedule", () => (open.value = { act: "new" })] });
  const state = schedules.query.state.value;
  const close = () => {
    open.value = null;
  };
  return (
    <>
      <PageHead
        title="Schedules"
        actions={
          <>
            <CopyCurl service="orchestrator" path="/schedules" />
            <button type="button" class="button button-primary" onClick={() => (open.value = { act: "new" })}>
              New schedule
            </button>
          </>
        }
      >
        Tasks made by the clock, each fire exactly once however many orchestrators run.
      </PageHead>
      <QueryNote query={state} onRetry={schedules.query.reload} rows={6} />
      {state.data && schedules.rows.length === 0 && <NoSchedules onNew={() => (open.value = { act: "new" })} />}
      <div class="schedule-list">
        {schedules.rows.map((schedule) => (
          <ScheduleCard
            key={schedule.id}
            schedule={schedule}
            onAct={(act) => {
              open.value = { act, schedule };
            }}
          />
        ))}
      </div>
      <MoreButton items={schedules} />
      <Dialogs open={open.value} onClose={close} onChanged={schedules.query.reload} />
    </>
  );
}

function NoSchedules({ onNew }: { onNew: () => void }) {
  return (
    <Empty title="Nothing runs by the clock yet">
      <p>A schedule makes a task at its times: by cron with a time zone, every so many seconds, or once.</p>
      <button type="button" class="button" onClick={onNew}>
        Make a schedule
      </button>
    </Empty>
  );
}

function timingWords(schedule: Schedule): string {
  if (schedule.cron !== null) {
    const words = describeCron(schedule.cron) ?? schedule.cron;
    return `${words}, ${schedule.timezone}`;
  }
  return schedule.everySeconds === null ? "once" : describeEvery(schedule.everySeconds);
}

/** The next fire as the scheduler has it, and those after it as they follow. */
function nextFires(schedule: Schedule): string[] {
  if (schedule.nextAt === null || !schedule.enabled) return [];
  const later = foretell(schedule, Date.parse(schedule.nextAt), 4);
  return [schedule.nextAt, ...(later.kind === "fires" ? later.at : [])];
}

const missedWords: Record<Schedule["missed"], string> = {
  skip: "left out",
  once: "made up for once",
  all: "all made up for",
};

function ScheduleCard({ schedule, onAct }: { schedule: Schedule; onAct: (act: Act) => void }) {
  const isSelected = search.value.get("sel") === schedule.id;
  const fires = nextFires(schedule);
  return (
    <section class="panel schedule" aria-label={schedule.name}>
      <header class="panel-head">
        <h2>
          <button
            type="button"
            class="link-plain"
            data-focus
            aria-expanded={isSelected}
            onClick={() => setParam("sel", isSelected ? null : schedule.id)}
          >
            {schedule.name}
          </button>
        </h2>
        <LampWord lamp={schedule.enabled ? "ok" : "off"}>{schedule.enabled ? "on" : "paused"}</LampWord>
        <div class="panel-meta">
          <ScheduleActs schedule={schedule} onAct={onAct} />
        </div>
      </header>
      <div class="panel-body schedule-body">
        <p>
          <strong>{schedule.task.type}</strong>, {timingWords(schedule)}{" "}
          {schedule.cron && <span class="muted mono nowrap">{schedule.cron}</span>}
        </p>
        {schedule.lastError && <Note lamp="failed">Its last fire made no task: {schedule.lastError}</Note>}
        <dl class="facts">
          <Fact name="next">
            {fires[0] ? (
              <>
                <When at={fires[0]} form="date-time" />
                <span class="muted">, in {formatDuration(Date.parse(fires[0]) - nowMs.value)}</span>
              </>
            ) : (
              "no further fire"
            )}
          </Fact>
          {fires.length > 1 && (
            <Fact name="then">
              <ol class="fires muted">
                {fires.slice(1).map((at) => (
                  <li key={at}>
                    <When at={at} form="date-time" />
                  </li>
                ))}
              </ol>
            </Fact>
          )}
          <Fact name="last">
            {schedule.lastFiredAt ? <When at={schedule.lastFiredAt} form="date-time" /> : "never fired"}
            {schedule.lastTaskId && <LastTask id={schedule.lastTaskId} />}
          </Fact>
          <Fact name="missed ones">{missedWords[schedule.missed]}</Fact>
          {isSelected && <More schedule={schedule} />}
        </dl>
      </div>
    </section>
  );
}

/** What became of the newest fire. */
function LastTask({ id }: { id: string }) {
  const app = useApp();
  const query = useQuery<Task>(`task ${id}`, (signal) => app.rest.call("orchestrator", `/task/${id}`, { signal }));
  useReloadOn(query.reload, (batch) => batch.listTasks.some((task) => task.id === id));
  const task = query.state.value.data;
  return (
    <>
      , <a href={`/tasks/${id}`}>task {shortId(id)}</a>{" "}
      {task && <StatusWord status={task.status} waitingFor={task.waitingFor} />}
    </>
  );
}

function More({ schedule }: { schedule: Schedule }) {
  return (
    <>
      <Fact name="payload">
        <span class="mono">{JSON.stringify(schedule.task.payload ?? {})}</span>
      </Fact>
      <Fact name="id">
        <span class="mono">{schedule.id}</span>
      </Fact>
    </>
  );
}

function ScheduleActs({ schedule, onAct }: { schedule: Schedule; onAct: (act: Act) => void }) {
  const acts: [Act, string][] = [
    ["run", "Run now"],
    ["pause", schedule.enabled ? "Pause" : "Resume"],
    ["edit", "Edit"],
    ["delete", "Delete"],
  ];
  return (
    <>
      {acts.map(([act, words]) => (
        <button key={act} type="button" class="button button-quiet" onClick={() => onAct(act)}>
          {words}
          <span class="hidden"> {schedule.name}</span>
        </button>
      ))}
    </>
  );
}

function Dialogs({ open, onClose, onChanged }: { open: Open; onClose: () => void; onChanged: () => void }) {
  if (open === null) return null;
  if (open.act === "new") return <ScheduleDialog schedule={null} onClose={onClose} onSaved={onChanged} />;
  const { schedule, act } = open;
  if (act === "edit") return <ScheduleDialog schedule={schedule} onClose={onClose} onSaved={onChanged} />;
  return <ActDialog schedule={schedule} act={act} onClose={onClose} onChanged={onChanged} />;
}

type ActDialogProps = {
  schedule: Schedule;
  act: Exclude<Act, "edit">;
  onClose: () => void;
  onChanged: () => void;
};

function ActDialog({ schedule, act, onClose, onChanged }: ActDialogProps) {
  const app = useApp();
  const path = `/schedules/${schedule.id}`;
  const call = <T,>(method: "POST" | "PATCH" | "DELETE", to: string, body?: object) =>
    app.rest.call<T>("orchestrator", to, { method, body });
  const shared = { onClose, danger: act === "delete" };
  if (act === "run")
    return (
      <ConfirmCall<Task>
        {...shared}
        title={`Run ${schedule.name} now?`}
        button="Run now"
        send={() => call("POST", `${path}/run`, {})}
        onDone={(task) => navigate(`/tasks/${task.id}`)}
      >
        <p>
          It makes one <strong>{schedule.task.type}</strong> task at once, besides its own times.
        </p>
      </ConfirmCall>
    );
  const isDelete = act === "delete";
  const words = isDelete ? "Delete" : schedule.enabled ? "Pause" : "Resume";
  return (
    <ConfirmCall
      {...shared}
      title={`${words} ${schedule.name}?`}
      button={words}
      send={() => (isDelete ? call("DELETE", path) : call("PATCH", path, { enabled: !schedule.enabled }))}
      onDone={() => {
        toast(isDelete ? "Deleted" : schedule.enabled ? "Paused" : "Resumed");
        onChanged();
      }}
    >
      <p>
        {isDelete
          ? "It makes no further task. The tasks that it made stay."
          : schedule.enabled
            ? "It makes no task until it is resumed; what would have fired meanwhile is left out."
            : "It fires again from its next time on."}
      </p>
    </ConfirmCall>
  );
}
