import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Answer, Failure } from "../net/rest.ts";
import { Dialog, DialogActions } from "./dialog.tsx";
import { Note } from "./parts.tsx";

/** Why a call was refused, ending with what was or was not done. */
function refusalOf(failure: Failure): string {
  if (failure.kind !== "http") return `${failure.message} Whether it was done is not known: look at the state again.`;
  const details = failure.details.flatMap((detail) => {
    if (typeof detail !== "object" || detail === null || !("path" in detail) || !("message" in detail)) return [];
    return [`${detail.path || "it"} ${detail.message}`];
  });
  return [failure.message, ...details, "Nothing was changed."].join(" ");
}

export type Calling = {
  busy: Signal<boolean>;
  problem: Signal<Failure | null>;
  run: <T>(send: () => Promise<Answer<T>>, onDone: (body: T) => void) => Promise<void>;
};

/** Sends something once at a time, and keeps why it was refused. Nothing is shown as done before the answer. */
export function useCall(): Calling {
  const busy = useSignal(false);
  const problem = useSignal<Failure | null>(null);
  const run = async <T,>(send: () => Promise<Answer<T>>, onDone: (body: T) => void) => {
    if (busy.peek()) return;
    busy.value = true;
    const answer = await send();
    busy.value = false;
    problem.value = answer.ok ? null : answer.failure;
    if (answer.ok) onDone(answer.body);
  };
  return { busy, problem, run };
}

export function CallProblem({ call }: { call: Calling }) {
  return call.problem.value ? <Note lamp="failed">{refusalOf(call.problem.value)}</Note> : null;
}

type ConfirmProps<T> = {
  title: string;
  button: string;
  danger?: boolean;
  wide?: boolean;
  locked?: boolean;
  send: () => Promise<Answer<T>>;
  onDone: (body: T) => void;
  onClose: () => void;
  children: ComponentChildren;
};

/** Says what will happen, then does it, or says why it was not done. */
export function ConfirmCall<T>(props: ConfirmProps<T>) {
  const call = useCall();
  const confirm = () =>
    void call.run(props.send, (body) => {
      props.onClose();
      props.onDone(body);
    });
  return (
    <Dialog title={props.title} onClose={props.onClose} class={props.wide ? "dialog-wide" : ""}>
      {props.children}
      <CallProblem call={call} />
      <DialogActions onClose={props.onClose}>
        <button
          type="button"
          class={props.danger ? "button button-danger" : "button button-primary"}
          disabled={call.busy.value || props.locked}
          onClick={confirm}
        >
          {call.busy.value ? "Sending…" : props.button}
        </button>
      </DialogActions>
    </Dialog>
  );
}
