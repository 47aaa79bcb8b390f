/**
 * Rows in binary, turned by 90 degrees: an array for each column, as `unnest` wants them. node-pg sends a Buffer as it is, so nobody
 * quotes, escapes and parses each value as text.
 *
 * An array is a header of five numbers (dimensions, may it hold nulls, type of its elements, how many, number of the first), then of
 * each element its length and its bytes, just as they stand in a row.
 *
 * @see array_recv in PostgreSQL's src/backend/utils/adt/arrayfuncs.c
 */
import { countBytes, lengthBytes, rowColumns } from "../log-row.ts";

/** Numbers of the types in `pg_type`, which never change. */
const [smallint, text, timestamptz, uuid, jsonb] = [21, 25, 1184, 2950, 3802];
const types = [uuid, timestamptz, smallint, text, text, text, text, uuid, jsonb];

const headBytes = 20;

export function toArrays(rows: readonly Buffer[]): Buffer[] {
  const sizes = new Array<number>(rowColumns).fill(0);
  for (const row of rows) {
    eachColumn(row, (column, from, to) => {
      sizes[column] = (sizes[column] ?? 0) + to - from;
    });
  }
  const arrays = sizes.map((size, column) => newArray(types[column] ?? text, rows.length, size));
  const ends = new Array<number>(rowColumns).fill(headBytes);
  for (const row of rows) {
    eachColumn(row, (column, from, to) => {
      const end = ends[column] ?? headBytes;
      ends[column] = end + row.copy(arrays[column] ?? row, end, from, to);
    });
  }
  return arrays;
}

function eachColumn(row: Buffer, take: (column: number, from: number, to: number) => void): void {
  let at = countBytes;
  for (let column = 0; column < rowColumns; column++) {
    const end = at + lengthBytes + Math.max(0, row.readInt32BE(at));
    take(column, at, end);
    at = end;
  }
}

/** Not zeroed: every byte is written. */
function newArray(type: number, count: number, elementBytes: number): Buffer {
  const array = Buffer.allocUnsafe(headBytes + elementBytes);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(1, 4);
  array.writeInt32BE(type, 8);
  array.writeInt32BE(count, 12);
  array.writeInt32BE(1, 16);
  return array;
}
