/** Something that goes wrong on purpose, for the next calls that it fits. */
export type Fault = {
  /** An operation's name in Render's document, or a method; absent: every call. */
  on?: string;
  /** Only calls whose path has this in it. */
  path?: string;
  /**
   * - `status`: answered with `status` and `message`, and nothing happens
   * - `lose`: the connection ends without an answer, before anything happens
   * - `lose_after`: it ends after the call was carried out
   * - `status_after`: carried out, and answered with `status`
   * - `slow`: carried out after `delayMs`, or when `until` is there
   * - `rubbish`: answered 200 with something that is not JSON
   */
  kind: "status" | "lose" | "lose_after" | "status_after" | "slow" | "rubbish";
  times: number;
  /** Calls that it fits and lets pass first. */
  skip?: number;
  status?: number;
  message?: string;
  delayMs?: number;
  until?: Promise<unknown>;
  headers?: Record<string, string>;
};

/** The fault that this call meets, counted off; null when there is none. */
export function takeFault(
  faults: Fault[],
  call: { operation: string | null; method: string; path: string },
): Fault | null {
  for (const fault of faults) {
    const fits = fault.on === undefined || fault.on === call.operation || fault.on === call.method;
    if (fault.times <= 0 || !fits || !call.path.includes(fault.path ?? "")) continue;
    if ((fault.skip ?? 0) > 0) {
      fault.skip = (fault.skip ?? 0) - 1;
      continue;
    }
    fault.times -= 1;
    return fault;
  }
  return null;
}
