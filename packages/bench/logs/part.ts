import type { Pool as HttpPool } from "undici";
import type { Fleet } from "../fleet-process.ts";
import type { Finding } from "../measure.ts";

/** A running fleet, and the ways to its log: over HTTP, and past it. */
export type Bed = {
  fleet: Fleet;
  logging: { url: string; pid: number; http: HttpPool };
  databaseUrl: string;
};

export type PartOptions = { bed: Bed; rounds: number; signal: AbortSignal; say(line: string): void };

/** One subject of the measure. */
export type Part = {
  name: string;
  /** what each side does, for the report */
  about: string;
  run(options: PartOptions): Promise<Finding[]>;
};
