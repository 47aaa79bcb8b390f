import { defineSettings } from "@signalbox/common/settings.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { secretsWithDefault, toEnvSection, withEnvSections } from "./render-blueprint.ts";
import { describeServices } from "./services.ts";

const tiny = defineSettings("tiny", {
  HOST: Type.String({ default: "127.0.0.1" }),
  INTERNAL_KEY: Type.String({ writeOnly: true }),
  API_KEY: Type.String({ writeOnly: true }),
  PAGE_SIZE: Type.Integer({ default: 10 }),
  HINT: Type.Optional(Type.String()),
});

test("a key is answered by the fleet, by the group or by a person, and one with a default by nobody", () => {
  expect(toEnvSection(tiny)).toEqual([
    "- key: HOST",
    "  value: 0.0.0.0",
    "- key: API_KEY",
    "  sync: false",
    "- fromGroup: signalbox",
  ]);
});

test("a section is replaced where it stands, and nothing beside it", () => {
  const text = `a: 1
    envVars:
      # generated from services/tiny/settings.ts
      - old
      # end of what is generated
b: 2
`;
  const once = withEnvSections(text, [tiny]);
  expect(once.split("\n").slice(0, 5)).toEqual([
    "a: 1",
    "    envVars:",
    "      # generated from services/tiny/settings.ts",
    "      - key: HOST",
    "        value: 0.0.0.0",
  ]);
  expect(once.endsWith("      # end of what is generated\nb: 2\n")).toBe(true);
  expect(withEnvSections(once, [tiny])).toBe(once);
});

test("a service that the blueprint does not have is told, with what to do", () => {
  expect(() => withEnvSections("services: []\n", [tiny])).toThrow(/no section for tiny; add the service/);
});

test("no service has a secret with a default", async () => {
  for (const { settings } of await describeServices(repositoryRoot)) {
    expect([settings.service, secretsWithDefault(settings)]).toEqual([settings.service, []]);
  }
});
