import { EVENT_ID, type Event, getScalarValue, parseEvents, type ScalarEvent } from "js-yaml";

/** Where a value of a YAML text stands, so that it can be replaced and everything else stays as it is, comments too. */
export type YamlSpan = {
  kind: "scalar" | "mapping" | "sequence";
  /** written in brackets or braces */
  isFlow: boolean;
  /** whether what it is in is written so */
  isInFlow: boolean;
  start: number;
  /** behind its last character */
  end: number;
  /** of a member: where its key begins, and where the colon behind it ends */
  member: { keyStart: number; afterColon: number } | null;
};

type Reader = { text: string; events: readonly Event[]; at: number; spans: Map<string, YamlSpan> };
type Place = Pick<YamlSpan, "isInFlow" | "member"> & { pointer: string };

const flowStyle = 2;
const quotedStyles: readonly number[] = [2, 3];
const blockScalarStyles: readonly number[] = [4, 5];

/** Spans of everything in a text of one document, by JSON Pointer. Aliases and keys that are no scalars have none. */
export function readSpans(text: string): Map<string, YamlSpan> {
  const reader: Reader = { text, events: parseEvents(text, {}), at: 0, spans: new Map() };
  if (reader.events[0]?.type === EVENT_ID.DOCUMENT) {
    reader.at = 1;
    readNode(reader, { pointer: "", isInFlow: false, member: null });
  }
  return reader.spans;
}

/** Behind the node. */
function readNode(reader: Reader, place: Place): number {
  const event = reader.events[reader.at++];
  const { pointer, isInFlow, member } = place;
  const keep = (span: Pick<YamlSpan, "kind" | "isFlow" | "start" | "end">) => {
    reader.spans.set(pointer, { ...span, isInFlow, member });
    return span.end;
  };
  if (event?.type === EVENT_ID.SCALAR) return keep({ kind: "scalar", isFlow: false, ...edgesOf(event, member) });
  if (event?.type !== EVENT_ID.MAPPING && event?.type !== EVENT_ID.SEQUENCE) return member?.afterColon ?? 0;
  const isFlow = event.style === flowStyle;
  const inside = { pointer, isInFlow: isFlow };
  const last = event.type === EVENT_ID.MAPPING ? readMembers(reader, inside) : readItems(reader, inside);
  const end = isFlow ? closingOf(reader.text, last ?? event.start + 1) : (last ?? event.start);
  return keep({ kind: event.type === EVENT_ID.MAPPING ? "mapping" : "sequence", isFlow, start: event.start, end });
}

function edgesOf({ valueStart, valueEnd, style }: ScalarEvent, member: YamlSpan["member"]) {
  if (valueStart < 0) return { start: member?.afterColon ?? 0, end: member?.afterColon ?? 0 };
  if (blockScalarStyles.includes(style)) return { start: member?.afterColon ?? valueStart, end: valueEnd };
  const quote = quotedStyles.includes(style) ? 1 : 0;
  return { start: valueStart - quote, end: valueEnd + quote };
}

type Inside = { pointer: string; isInFlow: boolean };

/** Behind the last member; null when there is none. */
function readMembers(reader: Reader, { pointer, isInFlow }: Inside): number | null {
  let end: number | null = null;
  for (let key = reader.events[reader.at]; key && key.type !== EVENT_ID.POP; key = reader.events[reader.at]) {
    if (key.type !== EVENT_ID.SCALAR) throw new RangeError("a key that is no text has no place");
    reader.at += 1;
    const { start, end: behind } = edgesOf(key, null);
    const name = getScalarValue(reader.text, key).replaceAll("~", "~0").replaceAll("/", "~1");
    const member = { keyStart: start, afterColon: reader.text.indexOf(":", behind) + 1 };
    end = readNode(reader, { pointer: `${pointer}/${name}`, isInFlow, member });
  }
  reader.at += 1;
  return end;
}

function readItems(reader: Reader, { pointer, isInFlow }: Inside): number | null {
  let end: number | null = null;
  for (let index = 0; (reader.events[reader.at]?.type ?? EVENT_ID.POP) !== EVENT_ID.POP; index++) {
    end = readNode(reader, { pointer: `${pointer}/${index}`, isInFlow, member: null });
  }
  reader.at += 1;
  return end;
}

/** Behind the bracket that closes; comments and commas may stand before it. */
function closingOf(text: string, from: number): number {
  const found = /^(?:[\s,]|#[^\n]*)*[\]}]/.exec(text.slice(from));
  return from + (found?.[0].length ?? 0);
}
