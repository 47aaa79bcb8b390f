import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { brotliDecompressSync, createBrotliDecompress } from "node:zlib";
import { type Browser, chromium } from "playwright-core";
import { untar } from "./untar.ts";

/*
 * A real Chromium for the tests, from the npm registry alone.
 *
 * The package holds the browser, the libraries that bare images lack (NSS) and a font, each brotli-compressed. Its own helper
 * unpacks to one fixed path, which two test files that start together would write at the same time, and its arguments switch
 * web security off, which would hide every CSP and CORS fault these tests are for. So the files are unpacked here, into a
 * folder that carries the version in its name and appears by one rename: whoever comes second finds it whole.
 */

const packageVersion = "147.0.0";

export type BrowserChoice =
  | { kind: "found"; path: string; env: Record<string, string> }
  | { kind: "none"; reason: string };

const installedPaths: Partial<Record<NodeJS.Platform, string[]>> = {
  darwin: [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
  ],
  win32: ["C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe"],
  linux: ["/usr/bin/chromium", "/usr/bin/google-chrome"],
};

async function writableCache(): Promise<string> {
  const wanted = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  for (const folder of [join(wanted, "signalbox"), join(tmpdir(), "signalbox-cache")]) {
    try {
      await mkdir(folder, { recursive: true });
      await access(folder, 2);
      return folder;
    } catch {
      // A home that cannot be written (a read-only image) leaves the machine's temporary folder.
    }
  }
  throw new Error("no folder for the unpacked browser can be written: set XDG_CACHE_HOME to one");
}

const fontconfig = (folder: string) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${folder}/font-cache</cachedir></fontconfig>
`;

async function unpackInto(folder: string, source: string): Promise<void> {
  const binary = createWriteStream(join(folder, "chromium"), { mode: 0o755 });
  await pipeline(createReadStream(join(source, "chromium.br")), createBrotliDecompress(), binary);
  for (const name of ["al2023.tar.br", "fonts.tar.br"]) {
    await untar(brotliDecompressSync(await readFile(join(source, name))), folder);
  }
}

async function ensureUnpacked(): Promise<string> {
  const folder = join(await writableCache(), `chromium-${packageVersion}`);
  if (existsSync(folder)) return folder;
  const source = join(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")), "../../bin");
  const draft = await mkdtemp(`${folder}.`);
  try {
    await unpackInto(draft, source);
    await writeFile(join(draft, "fonts.conf"), fontconfig(folder));
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // The other starter's rename came first: its folder is whole.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Which browser the tests use: `SIGNALBOX_BROWSER`, else the packaged one on Linux x64, else an installed Chrome. */
export async function findBrowser(): Promise<BrowserChoice> {
  const named = process.env.SIGNALBOX_BROWSER;
  if (named) return { kind: "found", path: named, env: {} };
  if (process.platform === "linux" && process.arch === "x64") {
    const folder = await ensureUnpacked();
    const env = { LD_LIBRARY_PATH: join(folder, "lib"), FONTCONFIG_FILE: join(folder, "fonts.conf") };
    return { kind: "found", path: join(folder, "chromium"), env };
  }
  const path = installedPaths[process.platform]?.find((candidate) => existsSync(candidate));
  if (path) return { kind: "found", path, env: {} };
  return {
    kind: "none",
    reason: `no Chromium is packaged for ${process.platform} ${process.arch}: install Chrome or set SIGNALBOX_BROWSER`,
  };
}

export function launchBrowser(choice: BrowserChoice & { kind: "found" }): Promise<Browser> {
  return chromium.launch({
    executablePath: choice.path,
    args: ["--no-sandbox"],
    env: { ...process.env, ...choice.env },
  });
}
