import { ServerStartError } from "@signalbox/testing/embedded-postgres.ts";
import { SetupError } from "@signalbox/testing/setup-error.ts";
import { expect, test } from "vitest";
import { explainServer } from "./embedded-database.ts";
import { explainHome } from "./home.ts";

const place = { home: "/data/fleet", port: 4032 };
const said = (error: unknown) => (error instanceof SetupError ? error.message : null);

test.each([
  ["ENOSPC", "the disk that holds /data/fleet has no room left"],
  ["53100", "the disk that holds /data/fleet has no room left"],
  ["EDQUOT", "the disk that holds /data/fleet has no room left"],
  ["EACCES", "cannot write to the data folder /data/fleet"],
  ["EROFS", "cannot write to the data folder /data/fleet"],
  ["EISDIR", "the data folder /data/fleet cannot be used"],
  ["ENOTDIR", "the data folder /data/fleet is not a folder"],
])("a folder that answers %s is one sentence with what to do", (code, sentence) => {
  const error = Object.assign(new Error("as the system says"), { code });
  expect(said(explainHome(place.home, error))).toContain(sentence);
  expect(said(explainHome(place.home, error))).toMatch(/SIGNALBOX_HOME/);
});

test("a folder that is not there is only told of when it is the home, or on the way to it", () => {
  const missing = (path: string) => Object.assign(new Error("no such file"), { code: "ENOENT", path });
  for (const path of ["/data", place.home])
    expect(said(explainHome(place.home, missing(path)))).toContain("the data folder /data/fleet cannot be used");
  expect(said(explainHome(place.home, missing("/elsewhere")))).toBeNull();
});

test("an error that is not the folder's stays what it is", () => {
  const bug = new TypeError("x is not a function");
  expect(explainHome(place.home, bug)).toBe(bug);
  expect(explainServer(bug, place)).toBe(bug);
});

test.each([
  [
    'FATAL:  could not write lock file "postmaster.pid": No space left on device',
    "the disk that holds /data/fleet has no room",
  ],
  [
    'could not extend file "base/1/2691": wrote only 4096 of 8192 bytes at block 9',
    "the disk that holds /data/fleet has no room",
  ],
  [
    'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
    "port 4032, which the embedded PostgreSQL needs",
  ],
  [
    'FATAL:  could not open file "global/pg_filenode.map": Permission denied',
    "PostgreSQL cannot use /data/fleet/postgres",
  ],
  ["FATAL:  incorrect checksum in control file", "FATAL:  incorrect checksum in control file"],
])("a server that says %j is one sentence", (log, sentence) => {
  const message = said(explainServer(new ServerStartError("it ended with 1", log), place));
  expect(message).toContain(sentence);
  expect(message?.split("\n")).toHaveLength(1);
});
