import type { ParseArgsOptionsConfig } from "node:util";
import type { Remote } from "./remote.ts";
import type { Terminal } from "./terminal.ts";

/** What a command ends with; scripts rely on these numbers. */
export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3, refused: 4, conflict: 5 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A command cannot be carried out; the message says what to do. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  /** The service's own code, where it was a service that refused. */
  readonly code: string;
  readonly details: unknown[] | undefined;

  constructor(exitCode: ExitCode, code: string, message: string, details?: unknown[]) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
    this.details = details;
  }
}

export const usageError = (message: string) => new CommandError(exitCodes.usage, "usage", message);

/** The value of an option as it was typed: a flag, a text, or nothing. */
export type Values = Record<string, string | boolean | string[] | undefined>;

export type Invocation = {
  values: Values;
  positionals: string[];
  terminal: Terminal;
  /** Where the person stands; relative paths count from there. */
  folder: string;
  /** The fleet; found and logged in to when first asked for. */
  remote(): Promise<Remote>;
  /** Ctrl-C. */
  signal: AbortSignal;
};

export type Command = {
  name: string;
  /** What comes after the name, such as `<id> [--if-version N]`. */
  usage: string;
  summary: string;
  /** More lines of help. */
  help?: string;
  options?: ParseArgsOptionsConfig;
  run(invocation: Invocation): Promise<ExitCode>;
};

export function textOf(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** @throws CommandError when it is no whole number of the range */
export function wholeOf(values: Values, name: string, { min, max }: { min: number; max: number }): number | undefined {
  const text = textOf(values, name);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isInteger(number) && text.trim() !== "" && number >= min && number <= max) return number;
  throw usageError(`--${name} must be a whole number from ${min} to ${max}, not "${text}"`);
}

const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `--since`: a time, or how long ago. */
export function sinceOf(values: Values): string | undefined {
  const text = textOf(values, "since");
  if (text === undefined) return undefined;
  const span = /^(\d{1,6})([smhd])$/.exec(text);
  const at = span ? Date.now() - Number(span[1]) * (unitSeconds[span[2] ?? "s"] ?? 1) * 1_000 : Date.parse(text);
  if (!Number.isNaN(at)) return new Date(at).toISOString();
  throw usageError(`--since is a time such as 2026-05-01T12:00:00Z, or how long ago such as 15m, not "${text}"`);
}

/** The one word that a command is about. */
export function onlyOne(positionals: readonly string[], what: string): string {
  const [first, ...more] = positionals;
  if (first !== undefined && first !== "" && more.length === 0) return first;
  throw usageError(first === undefined || first === "" ? `say which ${what}` : `only one ${what}, please`);
}

export function noneOf(positionals: readonly string[]): void {
  if (positionals.length > 0) throw usageError(`"${positionals.join(" ")}" is not expected here`);
}
