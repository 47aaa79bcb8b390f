/** The parameters of a call, however they were sent: as JSON, as a form, as parts with files, or in the URL. */
export function readParams(
  contentType: string | undefined,
  body: Buffer,
  query: URLSearchParams,
): Record<string, unknown> {
  const params: Record<string, unknown> = {};
  for (const [name, value] of query) params[name] = fromText(value);
  const type = contentType ?? "";
  if (type.startsWith("application/json") && body.length > 0) Object.assign(params, JSON.parse(body.toString()));
  else if (type.startsWith("application/x-www-form-urlencoded")) {
    for (const [name, value] of new URLSearchParams(body.toString())) params[name] = fromText(value);
  } else if (type.startsWith("multipart/form-data")) Object.assign(params, readForm(type, body));
  return params;
}

/** Numbers, booleans and JSON arrive as texts, and only those are read as anything else. */
function fromText(value: string): unknown {
  if (!/^(?:-?\d{1,16}|true|false|[[{].*[\]}])$/s.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

type Part = { name: string; fileName: string | null; content: string };

/** A file stands in a part of its own; the parameter names that part by `attach://`, or is that part. */
function readForm(contentType: string, body: Buffer): Record<string, unknown> {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1] ?? "";
  const parts = body
    .toString("utf8")
    .split(`--${boundary}`)
    .map(toPart)
    .filter((part) => part !== null);
  const files = parts.filter(({ fileName }) => fileName !== null);
  const fileOf = (name: string) => {
    const file = files.find((part) => part.name === name);
    return file && { name: file.fileName, content: file.content };
  };
  const fields: Record<string, unknown> = {};
  for (const { name, fileName, content } of parts) {
    if (fileName === null) fields[name] = fileOf(content.replace(/^attach:\/\//, "")) ?? fromText(content);
  }
  const document = fileOf("document");
  return document ? { ...fields, document } : fields;
}

function toPart(text: string): Part | null {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const name = /\bname="?([^";\r\n]+)"?/.exec(head)?.[1];
  if (name === undefined) return null;
  const file = /\bfilename=(?:"([^"]*)"|([^;\r\n]+))/.exec(head);
  return {
    name,
    fileName: file ? (file[1] ?? file[2] ?? "") : null,
    content: rest.join("\r\n\r\n").replace(/\r\n$/, ""),
  };
}
