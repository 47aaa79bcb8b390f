import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

/*
 * Loaded before a program (`node --import`): what it opens for writing below FULL_DISK is /dev/full, where every write fails with
 * ENOSPC as on a disk that is full.
 */
const folder = process.env.FULL_DISK ?? "";
const open = promises.open;

promises.open = (path, flags, mode) => {
  const isWriting = typeof flags === "string" && flags !== "r";
  const isInside = folder !== "" && String(path).startsWith(folder);
  return open(isWriting && isInside ? "/dev/full" : path, flags, mode);
};
syncBuiltinESMExports();
