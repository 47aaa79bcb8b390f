/** What is the same for every doorbell: the listeners of this process, and at most one message in 20 ms for the others. */

const coalesceMs = 20;
/** After a silence: what is rung together goes out together, and whoever rang has its own next statement on the way first. */
const leadMs = 2;

export type Ringing = {
  /** Calls this process's listeners now, and the other processes' soon. */
  ring(channel: string): void;
  on(channel: string, listener: () => void): void;
  /** Somebody else rang. */
  call(channel: string): void;
  /** Something may have been missed. */
  callAll(): void;
  channels(): string[];
  /** Sends what is still to be sent; from now on rings are heard in this process alone. */
  stop(): void;
};

/** @param send tells the other processes that all of these were rung, each channel once */
export function buildRinging(send: (channels: string[]) => void): Ringing {
  const listeners = new Map<string, (() => void)[]>();
  const rung = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function call(channel: string): void {
    for (const listener of listeners.get(channel) ?? []) listener();
  }

  /** With nothing to send there is silence again, and the next ring need not wait long. */
  function flush(): void {
    timer = undefined;
    if (rung.size === 0) return;
    send([...rung]);
    rung.clear();
    if (!stopped) timer = setTimeout(flush, coalesceMs).unref();
  }

  return {
    ring(channel) {
      call(channel);
      if (stopped) return;
      rung.add(channel);
      timer ??= setTimeout(flush, leadMs).unref();
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
      clearTimeout(timer);
      flush();
    },
  };
}
