import { expect, test } from "vitest";
import { readMute, readNewTask, readTaskId } from "./command.ts";
import { toNewUpdates } from "./inbox-update.ts";
import { keyOf, lineOf, readCommand, readUpdate } from "./update.ts";

const chat = { id: 42, type: "private" };
const group = { id: -7, type: "supergroup" };
const from = { id: 42, is_bot: false, first_name: "Ann", last_name: "Lee" };
const message = (more: object) => ({ update_id: 1, message: { message_id: 5, chat, from, date: 0, ...more } });
const kindOf = (update: unknown) => readUpdate(update, "signalbox_bot").kind;

test.each([
  [message({ text: "hello" }), "message"],
  [message({ caption: "see", photo: [] }), "message"],
  [message({ photo: [] }), "wordless"],
  [message({ text: "   " }), "wordless"],
  [message({ text: "/tasks" }), "command"],
  [message({ text: "/tasks@signalbox_bot failed" }), "command"],
  [message({ text: "/tasks@SIGNALBOX_BOT" }), "command"],
  [message({ text: "/tasks@other_bot" }), "nothing"],
  [message({ text: "hi", from: { ...from, is_bot: true } }), "nothing"],
  [message({ text: "hi", from: undefined }), "nothing"],
  [message({ chat: group, text: "hi" }), "message"],
  [message({ chat: group, text: "@ann hi" }), "nothing"],
  [message({ chat: group, text: "hi", reply_to_message: { message_id: 1, from: { username: "ann" } } }), "nothing"],
  [message({ chat: group, text: "hi", reply_to_message: { message_id: 1, forum_topic_created: {} } }), "message"],
  [message({ chat: group, text: "hi @signalbox_bot" }), "message"],
  [
    message({ chat: group, text: "hi", reply_to_message: { message_id: 1, from: { username: "signalbox_bot" } } }),
    "message",
  ],
  [message({ chat: group, photo: [] }), "nothing"],
  [message({ chat: group, new_chat_members: [] }), "nothing"],
  [message({ chat: group, migrate_to_chat_id: -100 }), "moved"],
  [{ update_id: 1, edited_message: { chat, from, text: "hi" } }, "nothing"],
  [{ update_id: 1, my_chat_member: { chat, from, new_chat_member: { status: "kicked" } } }, "membership"],
  [{ update_id: 1, callback_query: { id: "1", from, message: { chat, message_id: 5 }, data: "x" } }, "press"],
  [{ update_id: 1, callback_query: { id: "1", from, data: "x" } }, "nothing"],
  [{ update_id: 1, inline_query: {} }, "nothing"],
  [null, "nothing"],
  ["text", "nothing"],
  [{ message: null }, "nothing"],
  [{ message: { chat: null, from, text: "hi" } }, "nothing"],
])("%j is a %s", (update, kind) => {
  expect(kindOf(update)).toBe(kind);
});

test("a sender has a name, whatever is known of them", () => {
  const nameOf = (sender: object) => {
    const signal = readUpdate(message({ text: "x", from: sender }), null);
    return "sender" in signal ? signal.sender.name : null;
  };
  expect(nameOf(from)).toBe("Ann Lee");
  expect(nameOf({ id: 1, username: "ann" })).toBe("@ann");
  expect(nameOf({ id: 1 })).toBe("@1");
});

test("a line is a conversation; a press waits for nobody's message; the general topic has no number", () => {
  const topic = { chat: group, message_thread_id: 9, is_topic_message: true, text: "x" };
  expect(lineOf(message({ text: "x" }))).toBe("42");
  expect(lineOf(message(topic))).toBe("-7:9");
  expect(lineOf(message({ ...topic, is_topic_message: undefined }))).toBe("-7");
  expect(lineOf({ callback_query: { from, message: { chat } } })).toBe("press:42");
  expect(keyOf({ chatId: -7, threadId: 9 })).toBe("-7:9");
});

test("a batch is stored in the order of its numbers, without what is no update and what the database cannot hold", () => {
  const found = toNewUpdates([
    { update_id: 8, message: { chat, text: "b\u0000\ud800" } },
    { update_id: "7" },
    null,
    { update_id: 6, message: { chat, text: "a" } },
  ]);
  expect(found.map(({ updateId, line }) => [updateId, line])).toEqual([
    [6, "42"],
    [8, "42"],
  ]);
  expect(found[1]?.raw).toMatchObject({ message: { text: "b\ufffd" } });
});

test.each([
  ["/a", { name: "a", bot: null, text: "" }],
  ["  /New_Task  two words ", { name: "new_task", bot: null, text: "two words" }],
  ["/new@x_bot a\nb", { name: "new", bot: "x_bot", text: "a\nb" }],
  ["no /command", null],
  ["//", null],
  ["/", null],
])("%j is the command %j", (text, command) => {
  expect(readCommand(text)).toEqual(command);
});

test.each([
  ["echo", { type: "echo", payload: {} }],
  ["echo hi there", { type: "echo", payload: { text: "hi there" } }],
  ['echo {"a":1}', { type: "echo", payload: { a: 1 } }],
  ["echo [1]", { type: "echo", payload: [1] }],
  ["echo {broken", { type: "echo", payload: { text: "{broken" } }],
  ["", null],
  ["-x", null],
])("/new %j makes %j", (text, task) => {
  expect(readNewTask(text)).toEqual(task);
});

test.each([
  ["", 3_600],
  ["30m", 1_800],
  ["2 h", 7_200],
  ["1D", 86_400],
  ["off", 0],
  ["31d", null],
  ["0h", null],
  ["soon", null],
])("/mute %j is %j seconds", (text, seconds) => {
  expect(readMute(text)).toBe(seconds);
});

test("a task is named by its whole id", () => {
  const id = "01890000-0000-7000-8000-00000000000A";
  expect(readTaskId(`${id} because  of it`)).toEqual({ id: id.toLowerCase(), rest: "because of it" });
  expect(readTaskId("01890000")).toBeNull();
});
