/** Those that hold text which is not written yet. */
const waiting = new Set<() => void>();
let isExitHeard = false;

const mostChars = 65_536;

/**
 * Writes what it is given at the end of the turn of the event loop, all of it at once: on a pipe, a file or a terminal each
 * write blocks until the system has it, and wakes whoever reads. What waits when the process exits is written then; only a
 * kill loses it.
 */
export function buildTextWriter(stream: { write(text: string): unknown }): (text: string) => void {
  let text = "";
  function flush(): void {
    const all = text;
    text = "";
    waiting.delete(flush);
    if (all !== "") stream.write(all);
  }
  return (more) => {
    if (text === "") {
      flushAtExit(flush);
      setImmediate(flush);
    }
    text += more;
    if (text.length > mostChars) flush();
  };
}

function flushAtExit(flush: () => void): void {
  waiting.add(flush);
  if (isExitHeard) return;
  isExitHeard = true;
  process.on("exit", () => {
    for (const last of [...waiting]) last();
  });
}
