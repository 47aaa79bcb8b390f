import { resolve } from "node:path";
import { openDatabase } from "../backup/find-database.ts";
import { makeBackup } from "../backup/make-backup.ts";
import { restoreBackup } from "../backup/restore-backup.ts";
import { type Command, CommandError, exitCodes, noneOf, onlyOne, textOf, usageError } from "../command.ts";

const formats = ["auto", "logical", "pg"] as const;

export const backup: Command = {
  name: "backup",
  usage: "[--to folder] [--format auto|logical|pg]",
  summary: "Write everything that the database holds into a file",
  help: `Taken at one moment and without stopping anybody. The database is that of DATABASE_URL, else of the local fleet, running or not; the folder is
<home>/backups. With a pg_dump that knows the server it is pg_dump's format, else one of our own; restore takes both. Old files go: all of two
days stay, then one a day for two weeks, then one a week for eight. A local fleet does this by itself every SIGNALBOX_BACKUP_HOURS (6).
Keep <home>/env too, elsewhere: SECRETS_KEY in it opens what is encrypted.`,
  options: { to: { type: "string" }, format: { type: "string" } },
  async run({ values, positionals, terminal, folder }) {
    noneOf(positionals);
    const format = formats.find((one) => one === (textOf(values, "format") ?? "auto"));
    if (format === undefined) throw usageError(`--format must be one of ${formats.join(", ")}`);
    await using database = await openDatabase({ env: process.env, folder, mayBeNew: false, onWarning: terminal.note });
    const to = textOf(values, "to");
    const home = database.home ?? process.env.SIGNALBOX_HOME;
    if (to === undefined && !home) throw usageError("say where to, with --to folder");
    const target = to === undefined ? resolve(folder, home ?? "", "backups") : resolve(folder, to);
    const made = await makeBackup({ url: database.url, folder: target, format, now: Date.now() });
    terminal.document(made);
    const size = `${(made.sizeBytes / 1_048_576).toFixed(1)} MB`;
    const gone = made.forgotten.length > 0 ? `; ${made.forgotten.length} old ones are gone` : "";
    terminal.line(`${made.file} (${size})${gone}`);
    return exitCodes.done;
  },
};

export const restore: Command = {
  name: "restore",
  usage: "<file> [--replace]",
  summary: "Put a backup into the database",
  help: `Into the database of DATABASE_URL, else of the local fleet, which must be stopped. It must be empty; with --replace, what is in it goes. All or
nothing: after a failure the database is as it was. A backup of an older release is brought to this release's schema.`,
  options: { replace: { type: "boolean" } },
  async run({ values, positionals, terminal, folder }) {
    const file = resolve(folder, onlyOne(positionals, "file"));
    await using database = await openDatabase({ env: process.env, folder, mayBeNew: true, onWarning: terminal.note });
    if (database.isInUse) {
      const message = `a fleet runs on ${database.home}; stop it first, a restore would pull the ground from under it`;
      throw new CommandError(exitCodes.conflict, "in_use", message);
    }
    const rows = await restoreBackup({ url: database.url, file, replace: values.replace === true });
    terminal.document({ file, rows });
    const lines = Object.entries(rows ?? {}).filter(([, count]) => count > 0);
    for (const [table, count] of lines) terminal.line(`${table.padEnd(28)} ${count}`);
    terminal.line(`restored from ${file}`);
    return exitCodes.done;
  },
};
