import { lookup } from "node:dns";

/** The system's resolver, less the addresses that are not called: checked at connect, so that no later answer slips in. */
export function buildCheckedLookup(isRefused: (address: string) => boolean): typeof lookup {
  const checked = (host: string, options: object, done: (error: Error | null, ...found: unknown[]) => void) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return done(error);
      const allowed = found.filter(({ address }) => !isRefused(address));
      const [first] = allowed;
      if (!first) return done(new Error(`${host} resolves only to addresses that are not called`));
      if ("all" in options && options.all) done(null, allowed);
      else done(null, first.address, first.family);
    });
  };
  return checked as typeof lookup;
}
