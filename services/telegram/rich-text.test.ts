import { readHtml } from "@signalbox/testing/telegram-html.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHtml, fromText, render, splitRuns } from "./rich-text.ts";

const html = (text: string) => render(fromText(text)).html;

test.each([
  ["a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"],
  ["<b>unclosed", "&lt;b&gt;unclosed"],
  ["use `x < y` now", "use <code>x &lt; y</code> now"],
  ["**big** news", "<b>big</b> news"],
  ["2 * 3 ** 4", "2 * 3 ** 4"],
  ["[docs](https://example.org/a?b=1&c=2)", '<a href="https://example.org/a?b=1&amp;c=2">docs</a>'],
  ["[x](javascript:alert(1))", "[x](javascript:alert(1))"],
  [
    "see:\n```ts\nlet a = 1 < 2;\n```\ndone",
    'see:\n<pre><code class="language-ts">let a = 1 &lt; 2;</code></pre>\ndone',
  ],
  ["```\nunclosed", "```\nunclosed"],
])("%j becomes %j", (text, expected) => {
  expect(html(text)).toBe(expected);
});

test.each([
  "<b>x",
  "<b><i>x</b></i>",
  "<script>x</script>",
  "a & b",
  "a < b",
  "&nbsp;",
  '<a href="javascript:x">y</a>',
  "</b>",
])("%j is no HTML of Telegram's", (text) => {
  expect(fromHtml(text)).toBeNull();
});

test("right HTML stays what it is", () => {
  const text = '<b>a <i>b</i></b> <a href="https://example.org">c</a> 1 &lt; 2';
  const runs = fromHtml(text);
  expect(runs && readHtml(render(runs).html)).toBe("a b c 1 < 2");
});

/** What Telegram takes, and is hard to cut: emoji, tags, lines, spaces, entities. */
const words = fc.array(
  fc.oneof(
    fc.constantFrom(
      "**bold** ",
      "`code<>` ",
      "\n",
      "\n\n",
      "👩‍👩‍👧",
      "```js\nlet a;\n```\n",
      "&<>",
      " ",
      "[a](https://b.c/?d=1&e)",
    ),
    fc.string({ unit: "binary", maxLength: 8 }),
  ),
  { maxLength: 60 },
);

test("whatever is written, every piece is valid, small enough, and together they are all of it", () => {
  fc.assert(
    fc.property(words, fc.integer({ min: 4, max: 80 }), (parts, limit) => {
      const runs = fromText(parts.join(""));
      const pieces = splitRuns(runs, limit).map(render);
      for (const piece of pieces) {
        expect(readHtml(piece.html)).toBe(piece.plain);
        expect(piece.plain.length).toBeLessThanOrEqual(limit);
        expect(piece.plain.isWellFormed()).toBe(true);
      }
      const visible = (text: string) => text.replaceAll(/\s/g, "");
      expect(visible(pieces.map(({ plain }) => plain).join(""))).toBe(visible(render(runs).plain));
    }),
    { numRuns: 300 },
  );
});

test("a text is cut at a blank line first, then at a line, then at a space", () => {
  const cut = (text: string) => splitRuns(fromText(text), 20).map((piece) => render(piece).plain);
  expect(cut("one two three\n\nfour five six")).toEqual(["one two three", "four five six"]);
  expect(cut("one two three\nfour five six")).toEqual(["one two three", "four five six"]);
  expect(cut("one two three four five six")).toEqual(["one two three four ", "five six"]);
});

test("code that is cut is code on both sides", () => {
  const [first, second] = splitRuns(fromText("```\naaaa aaaa\nbbbb bbbb\n```"), 12).map((piece) => render(piece).html);
  expect([first, second]).toEqual(["<pre>aaaa aaaa</pre>", "<pre>bbbb bbbb</pre>"]);
});
