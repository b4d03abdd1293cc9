/** Draws charts as SVG, by Vega-Lite, for light and for dark backgrounds. */
import { parse, View } from 'vega';
import { compile } from 'vega-lite';

export const THEMES = ['light', 'dark'];

const INK = {
  light: { text: '#1f2328', faint: '#59636e', grid: '#d1d9e0' },
  dark: { text: '#f0f6fc', faint: '#9198a1', grid: '#3d444d' },
};

/** A colour for each candidate that reads on white and on black; the same one in every picture. */
const COLOURS = {
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

const PARTS = { client: '#3572d4', server: '#2da44e', broker: '#8c959f' };

const WIDTH = 560;
const ROW_HEIGHT = 20;
/** How much of the width the labels behind the bars take. */
const LABEL_SHARE = 1.35;
const FONT = 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif';

/**
 * One chart: a group of rows for each workload, a row for each candidate.
 *
 * @param {{ kind: 'bars' | 'ranges' | 'stacks', title: string, values: object[], parts?: string[] }} chart
 *   `values`: `workload`, `candidate`, `value`, `label`, and `row` where a candidate has several; bars may have a
 *   `mark`, ranges have `p99` and `end`, stacks a value for each of the `parts` and the `total`
 * @param {'light' | 'dark'} theme
 * @returns {Promise<string>} the SVG, with nothing behind it
 */
export async function draw(chart, theme) {
  const rows = chart.values.map((value) => ({
    row: value.candidate,
    room: value.total * LABEL_SHARE,
    ...value,
  }));
  const spec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: chart.title, anchor: 'start', fontSize: 15, offset: 14 },
    data: { values: rows },
    facet: { field: 'workload', type: 'nominal', sort: null, title: null },
    columns: 1,
    spacing: 14,
    resolve: { scale: { y: 'independent', x: chart.kind === 'stacks' ? 'independent' : 'shared' } },
    spec: { width: WIDTH, height: { step: ROW_HEIGHT }, layer: LAYERS[chart.kind](chart, INK[theme]) },
    config: config(INK[theme]),
  };
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
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
  bars: ({ values }, ink) => {
    const widest = Math.max(...values.map(({ value }) => value));
    const scale = { domain: [0, widest * LABEL_SHARE] };
    return [
      { mark: { type: 'bar' }, encoding: { y: ROWS, x: amount(scale), color: byCandidate() } },
      ...(values.some(({ mark }) => mark !== undefined) ? [marker(scale, ink)] : []),
      label(amount(scale)),
    ];
  },
  ranges: ({ values }) => {
    const nearest = Math.min(...values.map(({ value }) => value));
    const farthest = Math.max(...values.map(({ end }) => end));
    const scale = { type: 'log', domain: [nearest * 0.8, farthest * 6], nice: false };
    const point = (field, mark) => ({
      mark,
      encoding: { y: ROWS, x: amount(scale, field), color: byCandidate() },
    });
    return [
      {
        mark: { type: 'rule', strokeWidth: 3, opacity: 0.55 },
        encoding: { y: ROWS, x: amount(scale), x2: { field: 'end' }, color: byCandidate() },
      },
      point('value', { type: 'point', filled: true, size: 60, opacity: 1 }),
      point('p99', { type: 'tick', thickness: 2, size: 10 }),
      point('end', { type: 'tick', thickness: 3, size: 14 }),
      label(amount(scale, 'end')),
    ];
  },
  stacks: ({ parts }) => {
    const colour = {
      field: 'part',
      type: 'nominal',
      sort: parts,
      title: null,
      scale: { domain: parts, range: parts.map((part) => PARTS[part]) },
      legend: { orient: 'top' },
    };
    const total = { ...amount({}, 'total'), stack: null, axis: null };
    return [
      {
        mark: { type: 'bar' },
        encoding: {
          y: ROWS,
          x: { ...amount({}), axis: null },
          color: colour,
          order: { field: 'part', sort: 'ascending' },
        },
      },
      // Invisible points make room for the labels.
      {
        mark: { type: 'point', opacity: 0 },
        encoding: { y: ROWS, x: { ...amount({}, 'room'), axis: null } },
      },
      label(total),
    ];
  },
};

function amount(scale, field = 'value') {
  return {
    field,
    type: 'quantitative',
    title: null,
    scale,
    axis: { domain: false, ticks: false, tickCount: 6, format: '~s' },
  };
}

function byCandidate() {
  return {
    field: 'candidate',
    type: 'nominal',
    legend: null,
    scale: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
  };
}

function label(x) {
  return {
    mark: { type: 'text', align: 'left', baseline: 'middle', dx: 6 },
    encoding: { y: ROWS, x, text: { field: 'label', type: 'nominal' } },
  };
}

function marker(scale, ink) {
  return {
    mark: { type: 'tick', thickness: 2, size: ROW_HEIGHT * 0.75, color: ink.text },
    encoding: { y: ROWS, x: amount(scale, 'mark') },
  };
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
    axis: { labelColor: ink.faint, labelFontSize: 11, gridColor: ink.grid, gridOpacity: 0.6 },
    axisY: { grid: false, labelColor: ink.text, labelFontSize: 12 },
    legend: { labelColor: ink.text, labelFontSize: 12 },
    text: { color: ink.faint, fontSize: 11 },
    view: { stroke: null },
  };
}
