/** Draws curves as SVG: panels, each with a line for each candidate or process. */
import { COLOURS, INK, PARTS, render, WIDTH } from './drawing.mjs';
import { LABEL_SIZE, MARKER_RADIUS, placeLabels } from './label-places.mjs';

/** What lines may stand for, with their colours. */
const LINES = { candidate: COLOURS, process: PARTS };

const HEIGHT = 150;
/** Panels with a number at every point need more room than curves alone. */
const STEPS = { width: 310, height: 190, gap: { column: 40, row: 78 } };
/** How far an axis extends beyond labelled points, as a share of the distance between the lowest and the highest. */
const LABEL_ROOM = 0.16;

/** Data of marks that are drawn once, not for every value. */
const ONCE = { values: [{}] };

/**
 * Steps: curves over values that are names, such as counts of partitions, with a label at every point.
 *
 * @param {{ title: string, panels: { title: string, axis: string, values: object[] }[] }} chart `values`: `x`, a text,
 *   `y`, the `candidate` and the `label`; y is logarithmic, because candidates are many times apart
 * @param {'light' | 'dark'} theme
 */
export function drawSteps({ title, panels }, theme) {
  // Laid out without the axes, whose heights differ: otherwise the panels of a row would not be aligned.
  const layout = { columns: 2, bounds: 'flush', spacing: STEPS.gap };
  return render({ ...layout, concat: panels.map((panel) => steps(panel)) }, title, theme);
}

function steps({ title, axis, values }) {
  const { width, height } = STEPS;
  const domain = domainOf(values);
  const x = { field: 'x', type: 'ordinal', sort: null, title: axis, axis: { labelAngle: 0 } };
  const y = {
    field: 'y',
    type: 'quantitative',
    title: null,
    scale: { type: 'log', domain, nice: false },
    axis: { labels: false, ticks: false, domain: false, grid: false },
  };
  const encoding = { x, y, color: colour('candidate', values) };
  return {
    ...panelOf(title, width, height),
    data: { values },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 2, point: { size: MARKER_RADIUS ** 2 * Math.PI, filled: true } },
        encoding,
      },
      {
        data: { values: labelsOf(values, domain) },
        mark: { type: 'text', fontSize: LABEL_SIZE, baseline: 'middle' },
        encoding: {
          x: pixels('labelX'),
          y: pixels('labelY'),
          text: { field: 'label', type: 'nominal' },
        },
      },
    ],
  };
}

/** A field that holds pixels. */
function pixels(field) {
  return { field, type: 'quantitative', scale: null, axis: null };
}

/** The axis of y, with room for the labels above and below. */
function domainOf(values) {
  const logs = values.map(({ y }) => Math.log10(y));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const room = Math.max(high - low, 0.3) * LABEL_ROOM;
  return [10 ** (low - room), 10 ** (high + room)];
}

/** Each label with its position in pixels, computed from those of the points, so that no label covers a point. */
function labelsOf(values, [low, high]) {
  const { width, height } = STEPS;
  const xs = [...new Set(values.map(({ x }) => x))];
  const step = width / xs.length;
  const share = (y) => Math.log(high / y) / Math.log(high / low);
  const candidates = [...new Set(values.map(({ candidate }) => candidate))];
  const curves = candidates.map((candidate) =>
    values
      .filter((value) => value.candidate === candidate)
      .map(({ x, y, label }) => ({ x: (xs.indexOf(x) + 0.5) * step, y: share(y) * height, label })),
  );
  return placeLabels(curves, { width, height })
    .flat()
    .map(({ x, y, label }) => ({ labelX: x, labelY: y, label }));
}

/**
 * Curves over time, with an axis from zero, so that heights can be compared.
 *
 * @param {{ title: string, panels: { title: string, values: object[] }[], mark: { x: number, label: string } }} chart
 *   `values`: `x` in minutes, `y`, and the `process`; `mark`: a line across all curves at one moment
 * @param {'light' | 'dark'} theme
 */
export function drawTimes({ title, panels, mark }, theme) {
  return render(
    { columns: 1, spacing: 24, concat: panels.map((panel) => times(panel, mark, INK[theme])) },
    title,
    theme,
  );
}

function times({ title, values }, mark, ink) {
  const last = Math.max(...values.map(({ x }) => x));
  const scale = { domain: [0, last], nice: false };
  const at = { x: { datum: mark.x, type: 'quantitative', scale } };
  const rule = [
    { data: ONCE, mark: { type: 'rule', strokeDash: [4, 4], color: ink.faint }, encoding: at },
    {
      data: ONCE,
      mark: { type: 'text', align: 'left', baseline: 'bottom', dx: 4, text: mark.label },
      encoding: { ...at, y: { value: HEIGHT - 4 } },
    },
  ];
  return {
    ...panelOf(title, WIDTH, HEIGHT),
    data: { values },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 1.5, interpolate: 'linear' },
        encoding: {
          x: { field: 'x', type: 'quantitative', title: 'minutes', scale },
          y: { field: 'y', type: 'quantitative', title: null, axis: { domain: false, ticks: false } },
          color: colour('process', values),
        },
      },
      // The text needs room beside the line.
      ...(mark.x * 2 < last ? rule : []),
    ],
  };
}

function panelOf(title, width, height) {
  return { title: { text: title, anchor: 'start', fontSize: 12, fontWeight: 600, offset: 8 }, width, height };
}

/** The colours of those that the panel shows, in the order in which they are listed. */
function colour(field, values) {
  const shown = new Set(values.map((value) => value[field]));
  const entries = Object.entries(LINES[field]).filter(([name]) => shown.has(name));
  return {
    field,
    type: 'nominal',
    title: null,
    scale: { domain: entries.map(([name]) => name), range: entries.map(([, code]) => code) },
    legend: { orient: 'top' },
  };
}
