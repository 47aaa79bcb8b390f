import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";

const BLOCK = 512;

function textAt(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end === -1 ? length : end);
}

/** The few entry kinds of a ustar archive that a package of fonts and libraries uses. */
type Entry = { name: string; mode: number; sizeBytes: number; kind: string; target: string };

function parseHeader(block: Buffer): Entry {
  const prefix = textAt(block, 345, 155);
  const name = textAt(block, 0, 100);
  return {
    name: prefix ? `${prefix}/${name}` : name,
    mode: Number.parseInt(textAt(block, 100, 8), 8) || 0o644,
    sizeBytes: Number.parseInt(textAt(block, 124, 12), 8) || 0,
    kind: textAt(block, 156, 1) || "0",
    target: textAt(block, 157, 100),
  };
}

function pathInside(folder: string, name: string): string {
  const path = normalize(name);
  if (path.startsWith("..") || path.startsWith("/"))
    throw new Error(`the archive holds a path outside itself: ${name}`);
  return join(folder, path);
}

async function writeEntry(folder: string, entry: Entry, content: Buffer): Promise<void> {
  const path = pathInside(folder, entry.name);
  if (entry.kind === "5") {
    await mkdir(path, { recursive: true });
    return;
  }
  await mkdir(dirname(path), { recursive: true });
  if (entry.kind === "2") await symlink(entry.target, path);
  else if (entry.kind === "0") await writeFile(path, content, { mode: entry.mode });
}

/** Writes a tar archive's files into a folder; no `tar` program is assumed on the machine. */
export async function untar(archive: Buffer, folder: string): Promise<void> {
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const header = archive.subarray(at, at + BLOCK);
    if (header[0] === 0) return;
    const entry = parseHeader(header);
    const start = at + BLOCK;
    await writeEntry(folder, entry, archive.subarray(start, start + entry.sizeBytes));
    at = start + Math.ceil(entry.sizeBytes / BLOCK) * BLOCK;
  }
}
