/** What is the same for every doorbell: the listeners of this process, and at most one message in 20 ms a channel for the others. */

const coalesceMs = 20;

export type Ringing = {
  /** Calls this process's listeners now, and the other processes' soon. */
  ring(channel: string): void;
  on(channel: string, listener: () => void): void;
  /** Somebody else rang. */
  call(channel: string): void;
  /** Something may have been missed. */
  callAll(): void;
  channels(): string[];
  /** From now on rings are heard in this process alone. */
  stop(): void;
};

/** @param send tells the other processes; the first ring at once, the later ones of 20 ms together */
export function buildRinging(send: (channel: string) => void): Ringing {
  const listeners = new Map<string, (() => void)[]>();
  const pending = new Map<string, { again: boolean }>();
  let stopped = false;

  function call(channel: string): void {
    for (const listener of listeners.get(channel) ?? []) listener();
  }

  function tell(channel: string): void {
    const window = { again: false };
    pending.set(channel, window);
    send(channel);
    setTimeout(() => {
      pending.delete(channel);
      if (window.again && !stopped) tell(channel);
    }, coalesceMs).unref();
  }

  return {
    ring(channel) {
      call(channel);
      if (stopped) return;
      const window = pending.get(channel);
      if (window) window.again = true;
      else tell(channel);
    },
    on(channel, listener) {
      listeners.set(channel, [...(listeners.get(channel) ?? []), listener]);
    },
    call,
    callAll() {
      for (const channel of listeners.keys()) call(channel);
    },
    channels: () => [...listeners.keys()],
    stop() {
      stopped = true;
    },
  };
}
