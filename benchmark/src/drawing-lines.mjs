/** Draws curves as SVG: panels, each with a line for each candidate or process. */
import { COLOURS, INK, PARTS, render, WIDTH } from './drawing.mjs';

/** What lines may be about, and which colour each has. */
const LINES = { candidate: COLOURS, process: PARTS };

const HEIGHT = 150;
const GAP = 40;
/** How far the axis of labelled points reaches beyond them, as factors of the lowest and of the highest. */
const LABEL_ROOM = [0.6, 1.8];

/** What is drawn once, and not for every value. */
const ONCE = { values: [{}] };

/**
 * Steps: curves over values that are names, such as counts of partitions, with a label at every point.
 *
 * @param {{ title: string, panels: { title: string, axis: string, values: object[] }[] }} chart `values`: `x`, a text,
 *   `y`, the `candidate` and the `label`; y is logarithmic, because candidates are many times apart
 * @param {'light' | 'dark'} theme
 */
export function drawSteps({ title, panels }, theme) {
  const columns = 2;
  const width = (WIDTH - GAP) / columns;
  return render({ columns, spacing: 24, concat: panels.map((panel) => steps(panel, width)) }, title, theme);
}

function steps({ title, axis, values }, width) {
  const ys = values.map(({ y }) => y);
  const domain = [Math.min(...ys) * LABEL_ROOM[0], Math.max(...ys) * LABEL_ROOM[1]];
  const x = { field: 'x', type: 'ordinal', sort: null, title: axis, axis: { labelAngle: 0 } };
  const y = {
    field: 'y',
    type: 'quantitative',
    title: null,
    scale: { type: 'log', domain, nice: false },
    axis: { labels: false, ticks: false, domain: false, tickCount: 4 },
  };
  const encoding = { x, y, color: colour('candidate', values) };
  return {
    ...panelOf(title, width),
    data: { values },
    layer: [
      { mark: { type: 'line', strokeWidth: 2, point: { size: 40, filled: true } }, encoding },
      {
        mark: { type: 'text', dy: -10 },
        encoding: { x, y, text: { field: 'label', type: 'nominal' } },
      },
    ],
  };
}

/**
 * Curves over time, from zero, so that their height says how much it is and their slope how it grows.
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
    ...panelOf(title, WIDTH),
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

function panelOf(title, width) {
  return {
    title: { text: title, anchor: 'start', fontSize: 12, fontWeight: 600, offset: 8 },
    width,
    height: HEIGHT,
  };
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
