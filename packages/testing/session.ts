import pg from "pg";

export type Session = pg.Client & AsyncDisposable;

/** One connection of a test's own, closed at the end of its scope: `await using session = await openSession(db.url)`. */
export async function openSession(url: string): Promise<Session> {
  const client = new pg.Client({ connectionString: url });
  // Tests stop servers and drop databases under open sessions; the query in flight tells them.
  client.on("error", () => undefined);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
