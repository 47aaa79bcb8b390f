/** When which chat may be written to: one message a second in a personal chat, twenty a minute in a group, thirty a second in all. */

type Limits = { privateMs: number; groupMs: number; perSecond: number };

/** Every time is passed in, in ms of one steady clock. */
export function buildPacer({ privateMs, groupMs, perSecond }: Limits) {
  const freeAt = new Map<number, number>();
  let tokens = perSecond;
  let filledAt = 0;
  let botFreeAt = 0;

  function fill(now: number): void {
    tokens = Math.min(perSecond, tokens + ((now - filledAt) * perSecond) / 1_000);
    filledAt = now;
  }

  return {
    /** How many messages may leave now. */
    room(now: number): number {
      fill(now);
      return now < botFreeAt ? 0 : Math.floor(tokens);
    },
    /** Chats that must wait. */
    resting(now: number): number[] {
      for (const [chat, at] of freeAt) if (at <= now) freeAt.delete(chat);
      return [...freeAt.keys()];
    },
    begin(chatId: number, now: number): void {
      fill(now);
      tokens -= 1;
      freeAt.set(chatId, now + (chatId > 0 ? privateMs : groupMs));
    },
    end(chatId: number, now: number, hold: { ms: number; isBot: boolean }): void {
      if (hold.ms <= 0) return;
      freeAt.set(chatId, Math.max(freeAt.get(chatId) ?? 0, now + hold.ms));
      if (hold.isBot) botFreeAt = now + hold.ms;
    },
    /** Until something changes, in ms; at least one. */
    waitMs(now: number): number {
      const next = Math.min(...freeAt.values(), Number.POSITIVE_INFINITY);
      const token = tokens >= 1 ? Number.POSITIVE_INFINITY : now + ((1 - tokens) * 1_000) / perSecond;
      const bot = botFreeAt > now ? botFreeAt : Number.POSITIVE_INFINITY;
      return Math.max(1, Math.min(next, token, bot) - now);
    },
  };
}
