import pg from "pg";

/** A row for each item: the same insert for both servers. */
export async function openItems() {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
  await pool.query(
    "create table if not exists items (id bigint generated always as identity primary key, type text, payload jsonb)",
  );
  const text = "insert into items (type, payload) values ($1, $2) returning id";
  return {
    async store(type: string, payload: unknown): Promise<string> {
      const { rows } = await pool.query<{ id: string }>({
        name: "store",
        text,
        values: [type, JSON.stringify(payload)],
      });
      return rows[0]?.id ?? "";
    },
    close: () => pool.end(),
  };
}
