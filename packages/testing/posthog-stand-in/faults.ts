/** Something that goes wrong on purpose, for the next calls that it fits. */
export type Fault = {
  /** a part of the path, such as `/query/`; absent: every call */
  path?: string;
  /**
   * - `status`: answered with `status` and the headers, and nothing happens
   * - `lose`: the connection ends without an answer
   * - `slow`: carried out after `delayMs`
   * - `truncated`: carried out, and the half of the answer is sent
   * - `rubbish`: 200 with something that is not JSON
   * - `cached`: a query answers what it answered before, and says so
   * - `error_in_200`: a query answers 200 with `error` and no results
   */
  kind: "status" | "lose" | "slow" | "truncated" | "rubbish" | "cached" | "error_in_200";
  times: number;
  status?: number;
  message?: string;
  delayMs?: number;
  headers?: Record<string, string>;
};

/** The fault that this call meets, counted off; null when there is none. */
export function takeFault(faults: Fault[], path: string): Fault | null {
  const fault = faults.find(({ times, path: part = "" }) => times > 0 && path.includes(part));
  if (!fault) return null;
  fault.times -= 1;
  return fault;
}
