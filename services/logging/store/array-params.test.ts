import { uuidv7 } from "@signalbox/common/uuid.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toJsonbs, toSmallints, toTexts, toTimes, toUuids } from "./array-params.ts";

test("PostgreSQL reads each array as what it was made of", async () => {
  await using database = await freshDatabase();
  const readBack = async (array: Buffer, type: string, shown = "value") => {
    const { rows } = await database.pool.query(`select ${shown} as value from unnest($1::${type}[]) value`, [array]);
    return rows.map(({ value }) => value);
  };
  const text = fc.string({ unit: "grapheme" }).filter((value) => !value.includes("\u0000"));
  const instant = fc.integer({ min: Date.UTC(1, 0, 1), max: Date.UTC(9999, 11, 31) });
  const json = fc.jsonValue().map((value) => JSON.stringify(value).replaceAll("\\u0000", ""));
  const rows = fc.array(
    fc.record({
      text: fc.option(text),
      id: fc.option(fc.uuid().chain((id) => fc.constantFrom(id, id.toUpperCase()))),
      instant,
      json,
      small: fc.integer({ min: -32_768, max: 32_767 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(rows, async (all) => {
      const texts = all.map((one) => one.text);
      expect(await readBack(toTexts(texts), "text")).toEqual(texts);
      const ids = all.map(({ id }) => id);
      expect(await readBack(toUuids(ids), "uuid")).toEqual(ids.map((id) => id?.toLowerCase() ?? null));
      const times = all.map((one) => one.instant);
      const ms = "(extract(epoch from value) * 1000)::bigint::text";
      expect((await readBack(toTimes(times), "timestamptz", ms)).map(Number)).toEqual(times);
      const values = all.map((one) => JSON.parse(one.json) as unknown);
      expect(await readBack(toJsonbs(all.map((one) => one.json)), "jsonb")).toEqual(values.map(withoutMinusZero));
      const smalls = all.map(({ small }) => small);
      expect(await readBack(toSmallints(smalls), "smallint")).toEqual(smalls);
    }),
    { numRuns: 60 },
  );
});

test("every digit of an id arrives", async () => {
  await using database = await freshDatabase();
  const ids = ["00000000-0000-0000-0000-000000000000", "01234567-89ab-cdef-0123-456789abcdef", uuidv7()];
  const { rows } = await database.pool.query("select id from unnest($1::uuid[]) id", [toUuids(ids)]);
  expect(rows.map(({ id }) => id)).toEqual(ids);
});

/** JSON has none of it. */
function withoutMinusZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
