import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Backlog } from "./log-backlog.ts";
import { Spool } from "./spool.ts";

const everything = { rows: 100, bytes: 1_000_000 };

test("what waits on disk is counted right at every moment, also while a delivered segment is being removed", async () => {
  const dir = await mkdtemp(join(tmpdir(), "signalbox-backlog-"));
  try {
    // Every append fills a segment.
    const backlog = new Backlog(new Spool({ dir, service: "a", segmentBytes: 1 }));
    await backlog.append(["1", "2", "3"]);
    await backlog.append(["4", "5"]);
    expect(await backlog.peek(everything)).toEqual(["1", "2", "3"]);
    await backlog.drop(1);
    expect(backlog.rows).toBe(4);
    const dropped = backlog.drop(2);
    expect(backlog.rows).toBe(2);
    await dropped;
    expect(await backlog.peek(everything)).toEqual(["4", "5"]);
    await backlog.drop(2);
    expect(backlog.rows).toBe(0);
    await backlog.close();
  } finally {
    await rm(dir, { recursive: true });
  }
});
