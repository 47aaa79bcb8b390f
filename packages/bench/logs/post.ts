import type { Pool as HttpPool } from "undici";
import type { FleetHome } from "../fleet-process.ts";

export type Posted = { status: number; accepted: number };

/** One POST of log records; any answer is one. */
export async function postLogs(
  http: HttpPool,
  { internalKey }: Pick<FleetHome, "internalKey">,
  body: string | Buffer,
  type = "application/x-ndjson",
): Promise<Posted> {
  const headers = { "x-internal-key": internalKey, "content-type": type };
  const response = await http.request({ method: "POST", path: "/log", headers, body });
  const answer = (await response.body.json()) as { accepted?: number };
  return { status: response.statusCode, accepted: answer.accepted ?? 0 };
}

/** @throws Error when not all was taken: a round that lost something measures nothing */
export async function postAll(...post: Parameters<typeof postLogs>): Promise<number> {
  const { status, accepted } = await postLogs(...post);
  if (status !== 202) throw new Error(`logging answered ${status} to records that it should have taken`);
  return accepted;
}
