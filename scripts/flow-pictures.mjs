// Draws the pictures of where a message can go, for light and for dark backgrounds, from the descriptions below.
//
//   node scripts/flow-pictures.mjs            writes them
//   node scripts/flow-pictures.mjs --check    fails if the committed ones differ

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure, main, ROOT, say } from './lib/process.mjs';

const FONT = 'system-ui, -apple-system, &quot;Segoe UI&quot;, Helvetica, Arial, sans-serif';
const INK = {
  light: {
    text: '#1f2328',
    faint: '#59636e',
    good: '#1a7f37',
    bad: '#bc4c00',
    topic: '#ddf4ff',
    line: '#d1d9e0',
    code: '#f6f8fa',
  },
  dark: {
    text: '#f0f6fc',
    faint: '#9198a1',
    good: '#3fb950',
    bad: '#f0883e',
    topic: '#0c2d6b',
    line: '#3d444d',
    code: '#212830',
  },
};

/** A topic: a box with round ends. */
const topic = (x, y, width, title, note) => ({ shape: 'topic', x, y, width, height: 44, title, note });
/** What runs in a process: a plain box. */
const code = (x, y, width, title, note, height = 44) => ({ shape: 'code', x, y, width, height, title, note });
/** An arrow through these points; the label stands at the place that is given. */
const arrow = (kind, points, label, at, anchor = 'middle') => ({ kind, points, label, at, anchor });

const PICTURES = {
  retries: {
    size: [760, 330],
    title: 'Where a message goes that fails',
    boxes: [
      topic(20, 40, 210, 'orders', 'its partition goes on at once'),
      topic(20, 120, 210, 'orders.retry.….5000', 'waits 5 s'),
      topic(20, 180, 210, 'orders.retry.….60000', 'waits a minute'),
      topic(20, 240, 210, 'orders.retry.….600000', 'waits ten minutes'),
      code(400, 120, 160, 'the handler', 'the same for all', 104),
      topic(600, 240, 140, 'orders.DLT', 'put aside'),
      code(600, 40, 140, 'done', 'the offset counts'),
    ],
    arrows: [
      arrow('plain', [
        [230, 62],
        [440, 62],
        [440, 120],
      ]),
      arrow(
        'plain',
        [
          [230, 142],
          [400, 142],
        ],
        'when it is due',
        [315, 136],
      ),
      arrow('plain', [
        [230, 202],
        [400, 202],
      ]),
      arrow('plain', [
        [230, 262],
        [430, 262],
        [430, 224],
      ]),
      arrow(
        'good',
        [
          [560, 140],
          [670, 140],
          [670, 84],
        ],
        'it works',
        [678, 118],
        'start',
      ),
      arrow(
        'bad',
        [
          [560, 204],
          [670, 204],
          [670, 240],
        ],
        'the last time',
        [678, 222],
        'start',
      ),
      arrow(
        'bad',
        [
          [480, 224],
          [480, 306],
          [125, 306],
          [125, 284],
        ],
        'it fails: to the next topic, the copy acknowledged before the offset counts',
        [300, 322],
      ),
    ],
  },
  'dead-letters': {
    size: [760, 200],
    title: 'Where a message goes that cannot be handled',
    boxes: [
      topic(20, 60, 150, 'orders', 'its partition waits'),
      code(290, 60, 150, 'the handler', 'up to three times'),
      topic(570, 60, 170, 'orders.DLT', 'with cause and origin'),
      code(570, 140, 170, 'dead-letters replay', 'by hand, filtered, slow'),
    ],
    arrows: [
      arrow(
        'plain',
        [
          [170, 82],
          [290, 82],
        ],
        'each message',
        [230, 76],
      ),
      arrow(
        'bad',
        [
          [330, 60],
          [330, 36],
          [100, 36],
          [100, 60],
        ],
        'it fails: again, after a while',
        [215, 30],
      ),
      arrow(
        'bad',
        [
          [440, 82],
          [570, 82],
        ],
        'the last time',
        [505, 76],
      ),
      arrow('plain', [
        [655, 104],
        [655, 140],
      ]),
      arrow(
        'good',
        [
          [570, 162],
          [95, 162],
          [95, 104],
        ],
        'to where it came from, once its cause is gone',
        [330, 156],
      ),
    ],
  },
  'exactly-once': {
    size: [780, 250],
    title: 'What a transaction makes visible together',
    boxes: [
      topic(20, 60, 150, 'orders', 'read'),
      code(250, 60, 170, 'the handler', 'transaction.send()'),
      topic(560, 40, 170, 'invoices', 'what was sent'),
      topic(560, 110, 170, '__consumer_offsets', 'how far it has read'),
      code(560, 190, 170, 'a reader', 'read_committed'),
    ],
    arrows: [
      arrow('plain', [
        [170, 82],
        [250, 82],
      ]),
      arrow(
        'good',
        [
          [420, 72],
          [560, 72],
        ],
        'commit: both',
        [490, 66],
      ),
      arrow('good', [
        [420, 92],
        [500, 92],
        [500, 132],
        [560, 132],
      ]),
      arrow(
        'bad',
        [
          [335, 104],
          [335, 212],
          [95, 212],
          [95, 104],
        ],
        'abort: neither, and the messages come again',
        [215, 228],
      ),
      arrow('good', [
        [746, 96],
        [762, 96],
        [762, 212],
        [730, 212],
      ]),
    ],
    frame: [544, 26, 202, 142],
  },
};

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function textAt(x, y, text, { fill, size, weight = 400, anchor = 'middle' }) {
  return `<text x="${x}" y="${y}" font-family="${FONT}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="${fill}">${escaped(text)}</text>`;
}

function boxOf({ shape, x, y, width, height, title, note }, ink) {
  const fill = shape === 'topic' ? ink.topic : ink.code;
  const radius = shape === 'topic' ? height / 2 : 6;
  const middle = y + height / 2;
  return [
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}" fill="${fill}" stroke="${ink.line}"/>`,
    textAt(x + width / 2, middle - 3, title, { fill: ink.text, size: 13, weight: 600 }),
    textAt(x + width / 2, middle + 13, note, { fill: ink.faint, size: 11 }),
  ];
}

function arrowOf({ kind, points, label, at, anchor }, ink) {
  const colour = kind === 'plain' ? ink.faint : ink[kind];
  const path = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join(' ');
  const line = `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.5" stroke-linejoin="round" marker-end="url(#${kind})"/>`;
  return label ? [line, textAt(...at, label, { fill: colour, size: 11, anchor })] : [line];
}

function draw({ size: [width, height], title, boxes, arrows, frame }, ink) {
  const heads = Object.entries({ plain: ink.faint, good: ink.good, bad: ink.bad }).map(
    ([id, colour]) =>
      `<marker id="${id}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="${colour}"/></marker>`,
  );
  const around = frame
    ? [
        `<rect x="${frame[0]}" y="${frame[1]}" width="${frame[2]}" height="${frame[3]}" rx="8" fill="none" stroke="${ink.good}" stroke-dasharray="4 3"/>`,
      ]
    : [];
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<defs>${heads.join('')}</defs>`,
    ...around,
    ...boxes.flatMap((box) => boxOf(box, ink)),
    ...arrows.flatMap((one) => arrowOf(one, ink)),
    '</svg>',
  ].join('\n')}\n`;
}

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { check: { type: 'boolean', default: false } } });
  const stale = [];
  for (const [name, picture] of Object.entries(PICTURES)) {
    for (const [theme, ink] of Object.entries(INK)) {
      const file = join(ROOT, `docs/images/${name}-${theme}.svg`);
      const svg = draw(picture, ink);
      if (existsSync(file) && readFileSync(file, 'utf8') === svg) continue;
      stale.push(`${name}-${theme}`);
      if (!values.check) writeFileSync(file, svg);
    }
  }
  if (values.check && stale.length > 0) {
    throw new Failure(`docs/images: ${stale.join(', ')} differ from scripts/flow-pictures.mjs`);
  }
  if (!values.check)
    say(`pictures of flows: ${stale.length === 0 ? 'current' : `written: ${stale.join(', ')}`}`);
  return 0;
});
