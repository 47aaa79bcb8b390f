import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { navigate } from "../app/router.ts";
import { settings } from "../app/settings.ts";
import { TableHead } from "./parts.tsx";
import type { PlotShape } from "./plot-draw.ts";
import { ensureLanguage } from "./usable-language.ts";

// The plotting library is a chunk of its own: a screen is there before it, and most screens never fetch it.
const loadDraw = async () => {
  ensureLanguage(navigator);
  return (await import("./plot-draw.ts")).drawPlot;
};

type PlotProps = {
  label: string;
  shape: PlotShape;
  /** The same figures as a table, for whoever does not see the plot or wants the numbers. */
  table: { head: readonly string[]; rows: readonly (readonly string[])[]; hrefs?: readonly string[] };
  /** Where a click on the place of an instant leads. */
  hrefAt?: (atMs: number) => string;
  height?: number;
  children?: ComponentChildren;
};

/** A plot with its figures beside it. */
export function Plot({ label, shape, table, hrefAt, height = 220, children }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const { theme, zone } = settings;
  const look = `${theme.value} ${zone.value}`;
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    let remove: (() => void) | null = null;
    let isGone = false;
    const onPick = hrefAt && ((atMs: number) => navigate(hrefAt(atMs)));
    void loadDraw().then((draw) => {
      if (!isGone) remove = draw(element, { shape, height, zone: zone.peek(), onPick });
    });
    return () => {
      isGone = true;
      remove?.();
    };
  }, [shape, height, look, zone, hrefAt]);
  return (
    <figure class="plot" aria-label={label}>
      <div class="plot-frame" ref={frame} style={{ minHeight: `${height}px` }} aria-hidden="true" />
      {children}
      <details class="plot-table">
        <summary>The figures as a table</summary>
        <div class="plot-scroll">
          <table class="table">
            <caption class="hidden">{label}</caption>
            <TableHead names={table.head} />
            <tbody>
              {table.rows.map((row, line) => (
                <tr key={row[0]}>
                  {row.map((cell, index) => (
                    <td key={index}>{index === 0 && table.hrefs ? <a href={table.hrefs[line]}>{cell}</a> : cell}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
