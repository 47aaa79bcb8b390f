import { expect, test } from "vitest";
import { ensureLanguage } from "./usable-language.ts";

test.each([
  ["en-US@posix", "en-US"],
  ["", "en-US"],
  ["de-CH", "de-CH"],
])("of a browser that says %j the language is %j", (said, language) => {
  // As in a browser: read through the prototype.
  const browser = Object.create({ language: said }) as { language: string };
  ensureLanguage(browser);
  expect(browser.language).toBe(language);
});
