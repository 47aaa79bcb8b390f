import { expect, test } from "vitest";
import { botApiVersion, judgeCall, methods, parseFields, types } from "./telegram-methods.ts";
import { readVendorDocument } from "./vendor-document.ts";

type Official = {
  version: string;
  methods: Record<string, { fields?: OfficialField[] }>;
  types: Record<string, { fields?: OfficialField[] }>;
};
type OfficialField = { name: string; types: string[]; required: boolean };

const description = readVendorDocument("telegramBotApi");

/** `Array of Array of X` as `X[][]`. */
function toKind(type: string): string {
  return type.startsWith("Array of ") ? `${toKind(type.slice("Array of ".length))}[]` : type;
}

function compare(name: string, words: string, official: OfficialField[]): string[] {
  const ours = new Map(parseFields(words).map((field) => [field.name, field]));
  const missing = official.filter(({ name: field, required }) => required && !ours.has(field));
  const wrong = [...ours.values()].filter((field) => {
    const theirs = official.find((candidate) => candidate.name === field.name);
    const kinds = theirs?.types.map(toKind) ?? [];
    return theirs?.required !== field.isRequired || field.types.some((kind) => !kinds.includes(kind));
  });
  return [
    ...missing.map((field) => `${name}: ${field.name} is missing`),
    ...wrong.map((field) => `${name}: ${field.name}`),
  ];
}

test.runIf(description)(
  "the description of the stand-in says nothing else than Telegram's (TELEGRAM_BOT_API_FILE)",
  () => {
    const official = description as Official;
    expect(official.version).toContain(botApiVersion);
    const wrong = [
      ...Object.entries(methods).flatMap(([name, words]) => compare(name, words, official.methods[name]?.fields ?? [])),
      ...Object.entries(types).flatMap(([name, words]) => compare(name, words, official.types[name]?.fields ?? [])),
    ];
    expect(wrong).toEqual([]);
    expect(Object.keys(methods).filter((name) => !official.methods[name])).toEqual([]);
  },
);

test.each([
  ["getUpdate", {}, "method not found"],
  ["sendMessage", { chat_id: 1, text: "a", txt: "b" }, 'unknown parameter "txt"'],
  ["sendMessage", { chat_id: 1 }, 'parameter "text" is required'],
  ["sendMessage", { chat_id: 1.5, text: "a" }, '"chat_id" must be of type Integer'],
  [
    "sendMessage",
    { chat_id: 1, text: "a", reply_markup: { inline_keyboard: [[{ text: "x", data: "y" }]] } },
    'unknown parameter "reply_markup.inline_keyboard.0.0.data"',
  ],
])("%s with %j is refused", (method, params, problem) => {
  expect(judgeCall(method, params)).toBe(problem);
});

test("a right call is not refused", () => {
  const reply_markup = { inline_keyboard: [[{ text: "x", callback_data: "y" }]] };
  expect(judgeCall("sendMessage", { chat_id: "@a", text: "a", reply_markup })).toBeNull();
});
