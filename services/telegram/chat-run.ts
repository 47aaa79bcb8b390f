/** A task that a chat asked for, and whose end it waits for. */
export type ChatRun = {
  updateId: number;
  place: { chatId: number; threadId: number | null };
  /** the question, which the answer answers */
  messageId: number;
  userId: number;
  /** null until the orchestrator has said it */
  taskId: string | null;
  isOpen: boolean;
  /** the version at which the task asks the chat for input */
  inputVersion: number | null;
  ageMs: number;
};

/**
 * What marks a task as one of an update of a bot: its correlation id, and the key that lets it be asked for again. Both are known
 * before the task is, so its first frame already finds its chat.
 */
export function toRunKey(bot: string, updateId: number): string {
  return `telegram:${bot}:${updateId}`;
}

/** The update of a correlation id; null when it is not one of this bot's. */
export function updateOfKey(bot: string, key: string | null): number | null {
  const prefix = `telegram:${bot}:`;
  if (key === null || !key.startsWith(prefix)) return null;
  const number = key.slice(prefix.length);
  return /^\d{1,16}$/.test(number) ? Number(number) : null;
}
