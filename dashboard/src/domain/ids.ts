export type PastedId = { kind: "uuid" | "trace"; id: string };

/** What a pasted text is, when it is one of the ids that appear on the wire; a `traceparent` gives its trace. */
export function findId(text: string): PastedId | null {
  const word = text.trim().toLowerCase();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(word)) return { kind: "uuid", id: word };
  if (/^[0-9a-f]{32}$/.test(word)) return { kind: "trace", id: word };
  const traceparent = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(word);
  return traceparent?.[1] ? { kind: "trace", id: traceparent[1] } : null;
}
