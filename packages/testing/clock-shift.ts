/*
 * Loaded before a program (`node --import`): from then on its wall clock is wrong by SIGNALBOX_CLOCK_SHIFT_MS, as on a machine
 * whose clock nobody sets. Clocks that only measure (`performance.now`, timers) stay right, as they do there.
 */
const shiftMs = Number(process.env.SIGNALBOX_CLOCK_SHIFT_MS ?? 0);
const RealDate = Date;

function shiftedNow(): number {
  return RealDate.now() + shiftMs;
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, wanted) => Reflect.construct(target, args.length === 0 ? [shiftedNow()] : args, wanted),
  apply: () => new RealDate(shiftedNow()).toString(),
  get: (target, name, receiver) => (name === "now" ? shiftedNow : Reflect.get(target, name, receiver)),
});
