/** What a button does. Its data on the wire is a random word without meaning; this stands in the database. */
export type ButtonAction = "approve" | "reject" | "cancel" | "retry";

export const labels: Record<ButtonAction, string> = {
  approve: "✅ Approve",
  reject: "✋ Reject",
  cancel: "✖ Cancel",
  retry: "↻ Retry",
};

export type PressVerdict = "good" | "unknown" | "foreign" | "expired";

/** Whether a button may be pressed here, by this person. What it does is judged by the orchestrator, by the version that was shown. */
export function judgePress(
  button: { userId: number | null; messageId: number | null; isExpired: boolean } | null,
  press: { userId: number; messageId: number },
): PressVerdict {
  if (button === null) return "unknown";
  if (button.userId !== null && button.userId !== press.userId) return "foreign";
  // A word that was copied under another message is no button of that message.
  if (button.messageId !== null && button.messageId !== press.messageId) return "unknown";
  return button.isExpired ? "expired" : "good";
}

export const pressAnswers: Record<Exclude<PressVerdict, "good">, string> = {
  unknown: "This button does nothing any more.",
  foreign: "This button is for somebody else.",
  expired: "This button is too old; ask with /task for a new one.",
};
