import uPlot from "uplot";
import { formatClock, formatDateTime, type Zone } from "../domain/time.ts";

/** A colour of the page's tokens, so that a plot follows the theme. */
type Token = "accent" | "completed" | "failed" | "waiting" | "text-3" | "queued";
export type PlotLine = {
  label: string;
  token: Token;
  values: readonly (number | null)[];
  kind: "line" | "dashed" | "bars";
};
export type PlotShape = {
  /** Instants in ms, growing. */
  at: readonly number[];
  lines: readonly PlotLine[];
  /** The room between two series of values, such as what was expected. */
  band?: { low: readonly (number | null)[]; high: readonly (number | null)[] };
  /** Instants with a word: an onset, a deploy. */
  marks?: readonly { atMs: number; text: string; token: Token }[];
  format?: (value: number) => string;
};

type Drawing = { shape: PlotShape; height: number; zone: Zone; onPick: ((atMs: number) => void) | undefined };

function colourOf(token: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();
}

const DAY_MS = 86_400_000;

/** Times of the axis: clocks, and beyond a day the date where one begins; always 24 hours. */
function formatTick(atMs: number, spanMs: number, zone: Zone): string {
  const date = formatDateTime(atMs, zone).slice(5, 10);
  const clock = formatClock(atMs, zone).slice(0, 5);
  return spanMs > 3 * DAY_MS || (spanMs > DAY_MS && clock === "00:00") ? date : clock;
}

function drawMarks(plot: uPlot, marks: NonNullable<PlotShape["marks"]>): void {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.lineWidth = devicePixelRatio;
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark.atMs / 1000, "x", true));
    if (x < left || x > left + width) continue;
    ctx.strokeStyle = colourOf(mark.token);
    ctx.fillStyle = colourOf(mark.token);
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    const isRight = x > left + width * 0.7;
    ctx.textAlign = isRight ? "right" : "left";
    ctx.fillText(mark.text, x + (isRight ? -5 : 5) * devicePixelRatio, top + 12 * devicePixelRatio);
  }
  ctx.restore();
}

const barPaths = () => uPlot.paths.bars?.({ size: [0.7, 28] });

function toSeries(line: PlotLine, format: (value: number) => string): uPlot.Series {
  const stroke = colourOf(line.token);
  const isBars = line.kind === "bars";
  return {
    label: line.label,
    stroke,
    ...(isBars ? { fill: stroke, paths: barPaths(), points: { show: false } } : { points: { show: false } }),
    width: isBars ? 0 : 1.75,
    ...(line.kind === "dashed" ? { dash: [5, 4] } : {}),
    value: (_plot, value) => (value === null ? "–" : format(value)),
  };
}

function toOptions({ shape, height, zone }: Drawing, width: number): uPlot.Options {
  const format = shape.format ?? ((value: number) => String(Math.round(value * 100) / 100));
  const spanMs = (shape.at.at(-1) ?? 0) - (shape.at[0] ?? 0);
  const axis = {
    stroke: colourOf("text-3"),
    grid: { stroke: colourOf("line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  const bandSeries: uPlot.Series[] = shape.band
    ? [
        { label: "expected at most", stroke: "transparent", points: { show: false }, value: () => "" },
        { label: "expected at least", stroke: "transparent", points: { show: false }, value: () => "" },
      ]
    : [];
  const hasBars = shape.lines.some(({ kind }) => kind === "bars");
  return {
    width,
    height,
    legend: { show: false },
    padding: [10, 20, 0, 0],
    cursor: { drag: { x: false, y: false }, points: { size: 6 }, y: false },
    series: [{}, ...bandSeries, ...shape.lines.map((line) => toSeries(line, format))],
    bands: shape.band ? [{ series: [1, 2], fill: `${colourOf("accent")}22` }] : [],
    axes: [
      { ...axis, size: 28, values: (_plot, splits) => splits.map((at) => formatTick(at * 1000, spanMs, zone)) },
      { ...axis, size: 52, values: (_plot, splits) => splits.map(format) },
    ],
    scales: hasBars ? { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.08)] } } : {},
    hooks: { draw: [(plot) => drawMarks(plot, shape.marks ?? [])] },
  };
}

function toData({ at, band, lines }: PlotShape): uPlot.AlignedData {
  const seconds = at.map((ms) => ms / 1000);
  const bands = band ? [[...band.high], [...band.low]] : [];
  return [seconds, ...bands, ...lines.map(({ values }) => [...values])];
}

/** Draws a plot into an element and keeps its width; the answer takes it away. */
export function drawPlot(element: HTMLElement, drawing: Drawing): () => void {
  const plot = new uPlot(toOptions(drawing, element.clientWidth || 300), toData(drawing.shape), element);
  const { onPick, shape } = drawing;
  if (onPick) {
    plot.over.classList.add("plot-pick");
    plot.over.addEventListener("click", ({ offsetX }) => {
      const atMs = shape.at[plot.posToIdx(offsetX)];
      if (atMs !== undefined) onPick(atMs);
    });
  }
  const observer = new ResizeObserver(() => {
    if (element.clientWidth > 0) plot.setSize({ width: element.clientWidth, height: drawing.height });
  });
  observer.observe(element);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => {
    plot.destroy();
    plot.root.remove();
    stop();
    undo = drawPlot(element, drawing);
  };
  let undo: (() => void) | null = null;
  const stop = () => {
    observer.disconnect();
    dark.removeEventListener("change", redraw);
  };
  dark.addEventListener("change", redraw);
  return () => {
    stop();
    if (undo) undo();
    else plot.destroy();
  };
}
