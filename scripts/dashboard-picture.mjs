// Draws docs/grafana-dashboard.json with the data of a Prometheus server, for light and for dark backgrounds: each
// panel with its own queries, placed as in Grafana.
//
//   node scripts/dashboard-picture.mjs --prometheus http://127.0.0.1:9090 --from <s> --to <s> [--group <regular expression>]
//
// `--from` and `--to` are seconds since the epoch. The long test of Prometheus calls it, where PICTURE is set.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { textWidth } from '../benchmark/src/text-width.mjs';
import { Failure, main, ROOT, say } from './lib/process.mjs';

const FONT = 'system-ui, -apple-system, &quot;Segoe UI&quot;, Helvetica, Arial, sans-serif';
const INK = {
  light: { text: '#1f2328', faint: '#59636e', line: '#d1d9e0', panel: '#ffffff' },
  dark: { text: '#f0f6fc', faint: '#9198a1', line: '#3d444d', panel: '#0d1117' },
};
/** Colours that read on white and on black. */
const COLOURS = ['#2da44e', '#3572d4', '#d1603d', '#8250df', '#b08800', '#0a8fa8'];
/** Width of Grafana's 24 columns, and height of one of its rows. */
const [COLUMN, ROW] = [40, 24];
const GAP = 8;
/** Number of points of a line. */
const STEPS = 100;
const LONGEST_LABEL = 24;

const escaped = (words) => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function text(x, y, words, { fill, size = 10, weight = 400, anchor = 'start' }) {
  return `<text x="${x}" y="${y}" font-family="${FONT}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="${fill}">${escaped(words)}</text>`;
}

const UNITS = { s: ['s', 1], bytes: ['B', 1], ops: ['/s', 1] };

function inWords(value, unit) {
  if (unit === 's' && value < 1) return `${Number((value * 1000).toPrecision(2))} ms`;
  const [name = ''] = UNITS[unit] ?? [];
  const thousands =
    value >= 10_000 ? `${Number((value / 1000).toPrecision(3))}k` : Number(value.toPrecision(3));
  return `${thousands}${name && ` ${name}`}`;
}

/** The next round number. */
function rounded(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * size).find((step) => step >= value);
}

async function linesOf(panel, { prometheus, from, to, group }) {
  const asked = panel.targets.map(async ({ expr, legendFormat = '' }) => {
    const query = expr.replaceAll('$__rate_interval', '10s').replaceAll('$group', group);
    const range = new URLSearchParams({ query, start: from, end: to, step: (to - from) / STEPS });
    const answer = await (await fetch(`${prometheus}/api/v1/query_range?${range}`)).json();
    if (answer.status !== 'success') throw new Failure(`${panel.title}: ${query}: ${answer.error}`);
    return answer.data.result.map(({ metric, values }) => ({
      label: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => metric[name] ?? '').trim(),
      points: values
        .map(([time, value]) => [time, Number(value)])
        .filter(([, value]) => Number.isFinite(value)),
    }));
  });
  return (await Promise.all(asked)).flat().filter(({ points }) => points.length > 0);
}

function statOf(lines, { x, y, width, height }, ink, unit) {
  const last = lines[0]?.points.at(-1)?.[1];
  const words = last === undefined ? '–' : inWords(last, unit);
  const style = { fill: ink.text, size: 28, weight: 600, anchor: 'middle' };
  return [text(x + width / 2, y + height / 2 + 18, words, style)];
}

function plotOf(lines, { x, y, width, height }, ink, unit, { from, to }) {
  const [left, right, top, bottom] = [x + 48, x + width - 12, y + 30, y + height - 28];
  const most = rounded(Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value)), 1e-3));
  const across = (time) => left + ((time - from) / (to - from)) * (right - left);
  const up = (value) => bottom - (value / most) * (bottom - top);
  const grid = [0, 0.5, 1].flatMap((share) => [
    `<path d="M${left} ${up(most * share)}H${right}" stroke="${ink.line}"/>`,
    text(left - 6, up(most * share) + 3, inWords(most * share, unit), { fill: ink.faint, anchor: 'end' }),
  ]);
  if (lines.length === 0) {
    return [
      ...grid,
      text((left + right) / 2, (top + bottom) / 2 + 4, 'nothing happened', {
        fill: ink.faint,
        anchor: 'middle',
      }),
    ];
  }
  const drawn = lines.map(({ points }, index) => {
    const path = points.map(
      ([time, value], i) => `${i ? 'L' : 'M'}${across(time).toFixed(1)} ${up(value).toFixed(1)}`,
    );
    return `<path d="${path.join('')}" fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.5" stroke-linejoin="round"/>`;
  });
  return [...grid, ...drawn, ...legendOf(lines, left, right, bottom + 18, ink)];
}

function legendOf(lines, left, right, y, ink) {
  const names = [];
  let x = left;
  for (const [index, { label }] of lines.entries()) {
    const short = label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1)}…` : label;
    const width = textWidth(short, 10) + 24;
    if (x + width > right) {
      names.push(text(x, y, '…', { fill: ink.faint }));
      break;
    }
    names.push(
      `<rect x="${x}" y="${y - 7}" width="8" height="8" rx="2" fill="${COLOURS[index % COLOURS.length]}"/>`,
    );
    names.push(text(x + 12, y, short, { fill: ink.faint }));
    x += width;
  }
  return names;
}

function draw(title, panels, range, ink) {
  const width = 24 * COLUMN;
  const height = Math.max(...panels.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h)) * ROW;
  const drawn = panels.flatMap(({ panel, lines }) => {
    const { x, y, w, h } = panel.gridPos;
    const box = {
      x: x * COLUMN + GAP / 2,
      y: y * ROW + GAP / 2,
      width: w * COLUMN - GAP,
      height: h * ROW - GAP,
    };
    const unit = panel.fieldConfig?.defaults?.unit;
    const content =
      panel.type === 'stat' ? statOf(lines, box, ink, unit) : plotOf(lines, box, ink, unit, range);
    return [
      `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="4" fill="${ink.panel}" stroke="${ink.line}"/>`,
      text(box.x + 10, box.y + 18, panel.title, { fill: ink.text, size: 12, weight: 600 }),
      ...content,
    ];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    ...drawn,
    '</svg>',
  ].join('\n')}\n`;
}

await main(import.meta.url, async (args) => {
  const option = { type: 'string' };
  const { values } = parseArgs({
    args,
    options: { prometheus: option, from: option, to: option, group: { ...option, default: '.*' } },
  });
  const { prometheus, group } = values;
  const [from, to] = [Number(values.from), Number(values.to)];
  if (prometheus === undefined || !(from < to)) throw new Failure('--prometheus, --from and --to are needed');
  const { title, panels } = JSON.parse(readFileSync(join(ROOT, 'docs/grafana-dashboard.json'), 'utf8'));
  const asked = panels.map(async (panel) => ({
    panel,
    lines: await linesOf(panel, { prometheus, from, to, group }),
  }));
  const filled = await Promise.all(asked);
  for (const [theme, ink] of Object.entries(INK)) {
    writeFileSync(join(ROOT, `docs/images/dashboard-${theme}.svg`), draw(title, filled, { from, to }, ink));
  }
  say(`docs/images: dashboard-light.svg, dashboard-dark.svg, of ${panels.length} panels`);
  return 0;
});
