/*
 * Loaded before a program (`node --import`) that its parent started with an IPC channel: its wall clock stands still, and is whatever
 * the parent last said, `{ nowMs }`, which it acknowledges. Clocks that only measure (`performance.now`, timers) go on. So a month can
 * be lived through in a minute by the very program that will live through it slowly.
 */
const RealDate = Date;
let nowMs = Number(process.env.SIGNALBOX_CLOCK_MS ?? RealDate.now());

process.on("message", (message: { nowMs?: unknown }) => {
  if (typeof message.nowMs !== "number") return;
  nowMs = message.nowMs;
  process.send?.({ nowMs });
});
// Nobody turns the clock any more.
process.on("disconnect", () => process.exit(1));
// Listening alone shall not keep a program alive that has ended its work.
process.channel?.unref();

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, wanted) => Reflect.construct(target, args.length === 0 ? [nowMs] : args, wanted),
  apply: () => new RealDate(nowMs).toString(),
  get: (target, name, receiver) => (name === "now" ? () => nowMs : Reflect.get(target, name, receiver)),
});
