/** What a frame about a task means to the chat that asked for it. */
import type { TaskFrame } from "@signalbox/common/contracts/frame.ts";
import type { ChatRun } from "./chat-run.ts";
import { fromOwnHtml, type MessageBody, quote, toMessages } from "./message.ts";
import { describeEnd, describeFailure, progressLine, textOfResult, toAnswerRuns } from "./wording.ts";

export type RunStep =
  | { kind: "typing"; isOn: boolean }
  /** the one message that shows how far it is */
  | { kind: "progress"; body: MessageBody; onlyEdit: boolean; isCancelable: boolean }
  /** the end, once */
  | { kind: "end"; messages: MessageBody[]; isRetryable: boolean }
  | { kind: "ask"; version: number; body: MessageBody }
  | { kind: "answered" }
  | { kind: "reopen" };

type Frame = Pick<TaskFrame, "event" | "task">;

/** @param run as it was before the frame */
export function planRunFrame(run: ChatRun, frame: Frame): RunStep[] {
  const { event, task } = frame;
  if (!run.isOpen) return task.status === "queued" && event.kind === "patched" ? [{ kind: "reopen" }] : [];
  switch (task.status) {
    case "completed":
    case "failed":
    case "canceled":
      return planEnd(run, frame);
    case "waiting":
      return task.waitingFor === "input" ? planQuestion(run, frame) : [{ kind: "typing", isOn: false }];
    default:
      return planUnderWay(run, frame);
  }
}

function planUnderWay(run: ChatRun, { event, task }: Frame): RunStep[] {
  const answered: RunStep[] = run.inputVersion === null ? [] : [{ kind: "answered" }];
  if (event.kind === "started") return [...answered, { kind: "typing", isOn: true }];
  if (event.kind === "progress" && task.progress) {
    const body = { ...fromOwnHtml(`▶️ ${progressLine(task.progress)}`), replyTo: run.messageId, isSilent: true };
    return [...answered, { kind: "progress", body, onlyEdit: false, isCancelable: true }];
  }
  if (event.kind === "retry_scheduled") {
    const body = fromOwnHtml(`↻ Attempt ${task.attempt} did not work; it is tried again.`);
    return [...answered, { kind: "progress", body, onlyEdit: true, isCancelable: true }];
  }
  return answered;
}

/** The last word is a new message, because an edit rings no phone; what showed the progress says how long it took. */
function planEnd(run: ChatRun, { task }: Frame): RunStep[] {
  const shown: RunStep = {
    kind: "progress",
    body: fromOwnHtml(describeEnd(task)),
    onlyEdit: true,
    isCancelable: false,
  };
  const messages = task.status === "completed" ? toAnswer(run, task) : [failureOf(run, task)];
  const end: RunStep = { kind: "end", messages, isRetryable: task.status === "failed" };
  return [{ kind: "typing", isOn: false }, shown, end];
}

function toAnswer(run: ChatRun, task: Frame["task"]): MessageBody[] {
  const { url } = textOfResult(task.result);
  const last = url === null ? {} : { buttons: [[{ text: "Open", url }]] };
  const messages = toMessages(toAnswerRuns(task.result), `answer-${task.id.slice(-12)}.txt`, last);
  return messages.map((message, at) => (at === 0 ? { ...message, replyTo: run.messageId } : message));
}

function failureOf(run: ChatRun, task: Frame["task"]): MessageBody {
  return { ...fromOwnHtml(describeFailure(task)), replyTo: run.messageId };
}

function planQuestion(run: ChatRun, { event, task }: Frame): RunStep[] {
  if (run.inputVersion === task.version || event.kind === "side_effect" || event.kind === "note") return [];
  const prompt =
    typeof event.data.prompt === "string" && event.data.prompt !== "" ? event.data.prompt : "Please answer.";
  const body = { ...fromOwnHtml(`❓ ${quote(prompt, 3_500)}`), replyTo: run.messageId, asksReply: true };
  return [
    { kind: "typing", isOn: false },
    { kind: "ask", version: task.version, body },
  ];
}
