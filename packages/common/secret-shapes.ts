/** What stands in the place of a secret. */
export const redactedMark = "[redacted]";

/**
 * How a key's value is treated.
 *   plain    walked as usual
 *   secret   replaced, whatever it is (booleans and null excepted: `"secret": true` says that something is one)
 *   counted  replaced, but a number stays: `tokens: 812`, `maxTokens`, `passed: 3` are counts, not secrets
 */
export type KeyKind = "plain" | "secret" | "counted";

/** Looked for in a key's letters, without case and joining: `X-Internal-Key`, `api_key` and `dbPassword` all fit. */
const secretNames =
  /passw(?:or)?[dt]|passphrase|passcode|secret|credential|authorization|cookie|(?:api|private|internal|access|signing|encryption|master|shared)key|connectionstring|bearer/;
const tokenName = /token/;
const tokenCount = /tokens|count|limit|budget|total|used|usage|size|length|index|position/;
/** Whole words only: they are part of too many innocent ones (`author`, `passage`). */
const secretWord = /^(?:auth|pwd|jwt|pass|basicauth|proxyauth)$/;
const passEnding = /(?:^|[_-])(?:pass|pwd|auth)$|[a-z](?:Pass|Pwd)$/i;

/** Judges a key by its name alone. */
export function judgeKey(key: string): KeyKind {
  const letters = key.toLowerCase().replace(/[^a-z]/g, "");
  if (secretNames.test(letters)) return "secret";
  if (tokenName.test(letters)) return tokenCount.test(letters) ? "counted" : "secret";
  if (secretWord.test(letters) || passEnding.test(key)) return "counted";
  return "plain";
}

const name =
  "(?:passw(?:or)?[dt]|passphrase|pwd|secret|token|(?:api|private|internal|access|signing|encryption)[ _-]?key|credentials?|authorization|cookie|_pass)";
/** What follows one of these and a colon is hidden even where it may be prose; "token: …" is prose too often without a digit. */
const plainlySecret =
  "(?:passw(?:or)?[dt]|passphrase|secret|(?:api|private|internal|access|signing|encryption)[ _-]?key|credential)";
const suffix = "(?:s|[_-][\\w-]{0,20})?";
const quote = "\\\\{0,3}[\"']";

// Every pattern is linear: a bounded head, and an unbounded run only at the very end, where nothing can fail after it.
// A head such as `\w+` would be quadratic: 400 kB of letters hang a process.

/** Userinfo of any URL. Up to the last @ before the path, because people forget to escape one in a password. */
const urlUser = /\b([a-z][a-z0-9+.-]{1,15}:\/\/)(?!\[redacted\]@)[^\s/?#"'<>\\]{1,1024}@/gi;
/** `?auth=…` and its like; longer names are found by `assignment`. */
const queryValue = /([?&;](?:auth|key|sig|signature|pass)=)(?!\[redacted\])[^\s&;#"'\\<>]+/gi;
const headerLine =
  /((?:authorization|cookie|\bx-[a-z-]{0,20}(?:key|token|secret)[a-z-]{0,10})\s{0,2}:\s{0,2})(?!\s|\[redacted\])[^\r\n"'\\]+/gi;
/** `password=…`, `TOKEN_X='…'`, `"apiKey":"…"`, `\"secret\":\"…\"`, `token: '…'`, `api key: …`, `token: a1b2`. */
const assignment = new RegExp(
  `((?:${name}[\\w-]{0,20}(?:${quote})?\\s{0,2}(?:=\\s{0,2}|:\\s{0,2}(?=${quote}))` +
    `|${plainlySecret}${suffix}\\s{0,2}:\\s{0,2}(?!(?:true|false|null|undefined)\\b)` +
    `|token${suffix}\\s{0,2}:\\s{0,2}(?=[a-z._~-]{0,60}[0-9+/=]))(?:${quote})?)` +
    `(?!\\[redacted\\])((?<=["'])[^"'\\\\]+|[^\\s"'\\\\&;,)}\\]]+)`,
  "gi",
);
/** After "basic" or "bearer" a word of prose has no digit, sign or inner capital. */
const authorizationValue =
  /\b([Bb](?:earer|asic)|BEARER|BASIC)(\s{1,3})(?=[A-Za-z~-]{0,60}(?:[0-9+/=_]|[a-z][A-Z]))[A-Za-z0-9._~+/=-]{8,}/g;
/** Telegram's bot token; in its URLs the word "bot" stands right before the digits. */
const botToken = /(?<![0-9])[0-9]{6,12}:[A-Za-z0-9_-]{30,}/g;
/** JWT, GitHub, GitLab, Render, PostHog, Slack, AWS, Standard Webhooks, Stripe and OpenAI style, npm, Google. */
const prefixed =
  /(?<![A-Za-z0-9])(?:eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*|gh[pour]_[A-Za-z0-9]{16,}|ghs_[A-Za-z0-9_.-]{16,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|rnd_[A-Za-z0-9]{16,}|ph[xcsar]_[A-Za-z0-9]{16,}|xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|A(?:KI|SI)A[A-Z0-9]{12,}|whsec_[A-Za-z0-9+/=_-]{16,}|sk[-_](?:live_|test_|ant-|proj-)?[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{30,}|AIza[A-Za-z0-9_-]{30,})/g;

/** Ids, hashes, times and numbers: most strings of a record, and none of the shapes fits in them. */
const harmless = /^(?:[0-9a-f-]*|[0-9TZ:.+-]{0,36})$/;
const signs = /[=:@]/;
const secretName = new RegExp(`${name}|[?&;](?:auth|key|sig|pass)|x-`, "i");

/** Asked first: a `test` that finds nothing costs a third of a `replace` that finds nothing. */
const tokenLook = new RegExp(`${authorizationValue.source}|${prefixed.source}`);

/** Replaces every secret that can be told by its look or by the name before it. Applying it twice changes nothing more. */
export function hideSecrets(text: string): string {
  if (text.length < 6 || harmless.test(text)) return text;
  let hidden = text.includes("-----BEGIN") ? hidePrivateKeys(text) : text;
  if (signs.test(hidden)) hidden = hideNamed(hidden);
  if (hidden.length < 14) return hidden;
  if (!tokenLook.test(hidden)) return hidden;
  return hidden.replace(authorizationValue, `$1$2${redactedMark}`).replace(prefixed, redactedMark);
}

/** What is told by the text around it. */
function hideNamed(text: string): string {
  let hidden = text;
  if (hidden.includes("@")) hidden = hidden.replace(urlUser, `$1${redactedMark}@`);
  if (hidden.length > 36) hidden = hidden.replace(botToken, redactedMark);
  if (!secretName.test(hidden)) return hidden;
  return hidden
    .replace(queryValue, `$1${redactedMark}`)
    .replace(headerLine, `$1${redactedMark}`)
    .replace(assignment, hideAssigned);
}

function hideAssigned(whole: string, head: string, value: string): string {
  const isCount = /token|_pass/i.test(head) && /^[0-9]{1,9}$/.test(value);
  return isCount ? whole : `${head}${redactedMark}`;
}

const keyHead = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/g;
const keyEnd = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----/g;

/** PEM private keys by search, not by one regex: a head without an end hides the rest of the text. */
function hidePrivateKeys(text: string): string {
  let hidden = "";
  let from = 0;
  keyHead.lastIndex = 0;
  for (let head = keyHead.exec(text); head; head = keyHead.exec(text)) {
    hidden += text.slice(from, head.index) + redactedMark;
    keyEnd.lastIndex = keyHead.lastIndex;
    from = keyEnd.exec(text) ? keyEnd.lastIndex : text.length;
    keyHead.lastIndex = from;
  }
  return hidden + text.slice(from);
}
