import type { LogLevel } from "@signalbox/common/contracts/log.ts";
import type { TaskStatus, WaitReason } from "@signalbox/common/contracts/task.ts";
import type { JSX } from "preact";

/** Every lamp of the page: a state is its shape, its word and its colour together, never a colour alone. */
export type Lamp = TaskStatus | "warn" | "ok" | "off" | "unknown";

const shapes: Record<Lamp, JSX.Element> = {
  queued: <circle class="stroke" cx="8" cy="8" r="5.5" />,
  running: (
    <>
      <circle class="stroke faint" cx="8" cy="8" r="5.5" />
      <path class="stroke arc" d="M8 2.5a5.5 5.5 0 0 1 5.5 5.5" />
      <circle cx="8" cy="8" r="2" />
    </>
  ),
  waiting: <path d="M8 1.2 14.8 8 8 14.8 1.2 8Z" />,
  completed: (
    <>
      <circle cx="8" cy="8" r="6.8" />
      <path class="cut" d="m4.9 8.2 2.2 2.2 4-4.4" />
    </>
  ),
  ok: (
    <>
      <circle cx="8" cy="8" r="6.8" />
      <path class="cut" d="m4.9 8.2 2.2 2.2 4-4.4" />
    </>
  ),
  failed: (
    <>
      <path d="M5 1.2h6L14.8 5v6L11 14.8H5L1.2 11V5Z" />
      <path class="cut" d="m5.6 5.6 4.8 4.8m0-4.8-4.8 4.8" />
    </>
  ),
  canceled: (
    <>
      <circle class="stroke" cx="8" cy="8" r="5.5" />
      <path class="stroke" d="m4.2 11.8 7.6-7.6" />
    </>
  ),
  off: (
    <>
      <circle class="stroke" cx="8" cy="8" r="5.5" />
      <path class="stroke" d="m4.2 11.8 7.6-7.6" />
    </>
  ),
  unknown: <circle class="stroke dashed" cx="8" cy="8" r="5.5" />,
  warn: (
    <>
      <path d="M8 1.5 15.2 14H.8Z" />
      <path class="cut" d="M8 6v4m0 1.6v.4" />
    </>
  ),
};

export function Glyph({ lamp }: { lamp: Lamp }) {
  return (
    <svg class={`glyph lamp-${lamp}`} viewBox="0 0 16 16" aria-hidden="true">
      {shapes[lamp]}
    </svg>
  );
}

export function LampWord({ lamp, children }: { lamp: Lamp; children: string }) {
  return (
    <span class={`lamp-word lamp-${lamp}`}>
      <Glyph lamp={lamp} />
      <span>{children}</span>
    </span>
  );
}

export function StatusWord({ status, waitingFor }: { status: TaskStatus; waitingFor?: WaitReason | null }) {
  return <LampWord lamp={status}>{status === "waiting" && waitingFor ? `waiting for ${waitingFor}` : status}</LampWord>;
}

const levelLamps: Partial<Record<LogLevel, Lamp>> = { warn: "warn", error: "failed", fatal: "failed" };

export function LevelWord({ level }: { level: LogLevel }) {
  const lamp = levelLamps[level];
  return lamp ? <LampWord lamp={lamp}>{level}</LampWord> : <span class="level-plain">{level}</span>;
}
