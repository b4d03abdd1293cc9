/** Draws charts as SVG, by Vega-Lite, for light and for dark backgrounds: here those of bars and ranges. */
import { textWidth } from './text-width.mjs';

const THEMES = ['light', 'dark'];

export const INK = {
  light: { text: '#1f2328', faint: '#59636e', grid: '#d1d9e0' },
  dark: { text: '#f0f6fc', faint: '#9198a1', grid: '#3d444d' },
};

/** A colour for each candidate that reads on white and on black; the same one in every picture. */
export const COLOURS = {
  stock: '#8c959f',
  'stock-routed': '#b08800',
  native: '#2da44e',
  confluent: '#8250df',
  'nest-memory': '#57606a',
  kafkajs: '#8c959f',
  'native-raw': '#2da44e',
  'confluent-raw': '#8250df',
  platformatic: '#0a8fa8',
  'kafka-crab': '#d1603d',
  librdkafka: '#3572d4',
  'librdkafka-linger': '#6ea0f0',
};

/** A colour for each process. */
export const PARTS = { client: '#3572d4', server: '#2da44e', broker: '#8c959f' };

export const WIDTH = 560;
const ROW_HEIGHT = 20;
const LABEL_SIZE = 11;
/** Width relative to the longest bar, with room for the label after it. */
const LABEL_SHARE = 1.35;
const FONT = 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif';

/**
 * One chart: a group of rows for each workload, a row for each candidate.
 *
 * @param {{ kind: 'bars' | 'ranges' | 'stacks', title: string, values: object[], isShared?: boolean, parts?: string[] }} chart
 *   `values`: `workload`, `candidate`, `value`, `label`, and `row` where a candidate has several; bars may have a
 *   `mark`, ranges have `p99` and `end`, stacks a value for each of the `parts`, and the `total`; `isShared`: whether
 *   all workloads have one scale, which is then shown
 * @param {'light' | 'dark'} theme
 * @returns {Promise<string>} the SVG, with nothing behind it
 */
export async function draw(chart, theme) {
  const { kind, title, values, isShared = false } = chart;
  const rows = values.map((value, index) => ({
    row: value.candidate,
    ...value,
    room: (value.total ?? value.value) * LABEL_SHARE,
    place: chart.parts?.indexOf(value.part),
    isLast: !values.slice(index + 1).some((later) => isSameRow(later, value)),
  }));
  const workloads = [...new Set(values.map(({ workload }) => workload))];
  const spec = {
    data: { values: rows },
    facet: { field: 'workload', type: 'nominal', sort: workloads, title: null },
    columns: 1,
    spacing: 14,
    resolve: { scale: { y: 'independent', x: isShared ? 'shared' : 'independent' } },
    spec: { width: WIDTH, height: { step: ROW_HEIGHT }, layer: LAYERS[kind](chart, INK[theme]) },
  };
  return render(spec, title, theme);
}

/**
 * Turns a chart of Vega-Lite into a picture.
 *
 * @param {object} chart what differs between charts: data, marks and how they are laid out
 * @returns {Promise<string>} the SVG, with nothing behind it
 */
export async function render(chart, title, theme) {
  // Imported only here: reading results and writing pages works without it.
  const { Error: ERRORS, logger, parse, textMetrics, View } = await import('vega');
  const { compile } = await import('vega-lite');
  textMetrics.width = (item, text) =>
    textWidth(String(text ?? ''), item.fontSize ?? LABEL_SIZE, Number(item.fontWeight) >= 600);
  const spec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, anchor: 'start', fontSize: 15, offset: 14 },
    config: config(INK[theme]),
    ...chart,
  };
  // Only errors: it warns about layers with different rows, although here all are equal.
  const compiled = compile(spec, { logger: logger(ERRORS) });
  const view = new View(parse(compiled.spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
}

/**
 * A picture for every background.
 *
 * @param {(theme: string) => Promise<string>} drawIn draws it for one
 * @returns {Promise<Record<string, string>>} the SVG of each
 */
export async function inThemes(drawIn) {
  return Object.fromEntries(await Promise.all(THEMES.map(async (theme) => [theme, await drawIn(theme)])));
}

/** The rows of a workload, in the order in which they are given. */
const ROWS = {
  field: 'row',
  type: 'nominal',
  sort: null,
  title: null,
  axis: { domain: false, ticks: false, labelPadding: 8, labelLimit: 240, labelOverlap: false },
  scale: { paddingInner: 0.25 },
};

const LAYERS = {
  bars: ({ isShared, values }, ink) => {
    const x = (field) => amount(field, isShared);
    const marker = { type: 'tick', thickness: 2, size: ROW_HEIGHT * 0.75, color: ink.text };
    const isMarked = values.some(({ mark }) => mark !== undefined);
    return [
      { mark: 'bar', encoding: { y: ROWS, x: x('value'), color: CANDIDATES } },
      ...(isMarked ? [{ mark: marker, encoding: { y: ROWS, x: x('mark') } }] : []),
      label(x('value')),
      room(x('room')),
    ];
  },
  ranges: ({ values }) => {
    const nearest = Math.min(...values.map(({ value }) => value));
    const farthest = Math.max(...values.map(({ end }) => end));
    const domain = [nearest * 0.8, farthest * 6];
    const scale = { type: 'log', domain, nice: false };
    const x = (field) => {
      const shown = amount(field, true);
      return { ...shown, axis: { ...shown.axis, values: powersOfTen(domain) }, scale };
    };
    const point = (field, mark) => ({ mark, encoding: { y: ROWS, x: x(field), color: CANDIDATES } });
    return [
      {
        mark: { type: 'rule', strokeWidth: 3, opacity: 0.55 },
        encoding: { y: ROWS, x: x('value'), x2: { field: 'end' }, color: CANDIDATES },
      },
      point('value', { type: 'point', filled: true, size: 60, opacity: 1 }),
      point('p99', { type: 'tick', thickness: 2, size: 10 }),
      point('end', { type: 'tick', thickness: 3, size: 14 }),
      label(x('end')),
    ];
  },
  stacks: ({ isShared, parts }) => {
    const x = (field) => amount(field, isShared);
    const colour = {
      field: 'part',
      type: 'nominal',
      title: null,
      scale: { domain: parts, range: parts.map((part) => PARTS[part]) },
      legend: { orient: 'top' },
    };
    return [
      { mark: 'bar', encoding: { y: ROWS, x: x('value'), color: colour, order: { field: 'place' } } },
      // Once per row, not for each of its parts: repeated labels on the same spot look bold.
      label({ ...x('total'), stack: null }, { transform: [{ filter: 'datum.isLast' }] }),
      room(x('room')),
    ];
  },
};

/** A colour for each candidate, whichever of them a picture shows. */
const CANDIDATES = {
  field: 'candidate',
  type: 'nominal',
  legend: null,
  scale: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
};

function amount(field, isShown) {
  // "f" and not "g", for which Vega uses the fewest digits that distinguish the ticks: 1e+2.
  const axis = { domain: false, ticks: false, tickCount: 6, format: ',~f' };
  return { field, type: 'quantitative', title: null, axis: isShown ? axis : null };
}

/** Only whole powers of ten: the eight lines between two of them are of no use. */
function powersOfTen([from, to]) {
  const first = Math.ceil(Math.log10(from));
  const length = Math.floor(Math.log10(to)) - first + 1;
  return Array.from({ length }, (_, index) => 10 ** (first + index));
}

function isSameRow(a, b) {
  return a.workload === b.workload && (a.row ?? a.candidate) === (b.row ?? b.candidate);
}

function label(x, more = {}) {
  return {
    ...more,
    mark: { type: 'text', align: 'left', baseline: 'middle', dx: 6 },
    encoding: { y: ROWS, x, text: { field: 'label', type: 'nominal' } },
  };
}

/** Invisible points that make room for the labels after the bars. */
function room(x) {
  return { mark: { type: 'point', opacity: 0 }, encoding: { y: ROWS, x } };
}

function config(ink) {
  return {
    background: null,
    font: FONT,
    padding: 8,
    title: { color: ink.text, fontWeight: 600 },
    header: {
      labelColor: ink.text,
      labelAnchor: 'start',
      labelFontSize: 12,
      labelFontWeight: 600,
      labelPadding: 4,
    },
    axis: {
      labelColor: ink.faint,
      labelFontSize: LABEL_SIZE,
      titleColor: ink.faint,
      titleFontWeight: 400,
      gridColor: ink.grid,
      gridOpacity: 0.6,
    },
    axisY: { grid: false, labelColor: ink.text, labelFontSize: 12 },
    legend: { labelColor: ink.text, labelFontSize: 12 },
    text: { color: ink.faint, fontSize: LABEL_SIZE },
    view: { stroke: null },
  };
}
