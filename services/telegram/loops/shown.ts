/** Messages with buttons under them. */
import type { Task } from "@signalbox/common/contracts/task.ts";
import { type ButtonAction, labels } from "../button.ts";
import type { Button } from "../message.ts";
import type { NewButton } from "../store/buttons.ts";
import type { Kit } from "./kit.ts";

const buttonSeconds = 7 * 86_400;

export type ButtonPlan = {
  chatId: number;
  /** null: whoever may talk to the bot */
  userId: number | null;
  slot: string;
  taskId: string;
  /** the version that is shown; null where it does not matter */
  version: number | null;
};

/** The same buttons again are the same words, so a step that is done twice shows nothing else. */
export function planButtons(
  { toToken }: Pick<Kit, "toToken">,
  plan: ButtonPlan,
  actions: readonly ButtonAction[],
): { row: Button[]; stored: NewButton[] } {
  const stored = actions.map((action) => ({
    ...plan,
    action,
    ifVersion: plan.version,
    token: toToken(plan.chatId, plan.slot, action, plan.taskId, plan.version ?? 0, plan.userId ?? 0),
    seconds: buttonSeconds,
  }));
  return { row: stored.map(({ token, action }) => ({ text: labels[action], token })), stored };
}

/** What can be done with a task as it is. */
export function actionsFor(task: Pick<Task, "status" | "waitingFor">): ButtonAction[] {
  if (task.status === "waiting" && task.waitingFor === "approval") return ["approve", "reject"];
  if (task.status === "failed" || task.status === "canceled") return ["retry"];
  return task.status === "completed" ? [] : ["cancel"];
}

/** In a personal chat a button is for its person; in a group for everybody there who may talk to the bot. */
export function holderOf(chatId: number): number | null {
  return chatId > 0 ? chatId : null;
}
