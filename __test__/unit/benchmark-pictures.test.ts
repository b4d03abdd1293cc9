import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const load = (name: string): Promise<any> =>
  import(new URL(`../../benchmark/src/${name}`, import.meta.url).href);
const { boxOf, markerOf, overlap, placeLabels } = await load('label-places.mjs');
const { textWidth } = await load('text-width.mjs');

// The pictures of the pages as they are published: what a reader sees in them, read from the SVG.

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

interface Picture {
  width: number;
  texts: (Box & { text: string })[];
  /** The circles at the points of curves and ranges. */
  markers: Box[];
  /** The right edge of whatever is drawn. */
  right: number;
}

const FOLDER = new URL('../../docs/images/', import.meta.url);
const PICTURES = readdirSync(FOLDER).filter((name) => name.endsWith('.svg') && name !== 'demo.svg');
const TAG = /<(\/?)(\w+)([^>]*?)(\/?)>([^<]*)/g;

function attribute(attributes: string, name: string): string | undefined {
  return new RegExp(` ${name}="([^"]*)"`).exec(attributes)?.[1];
}

/** Reads what Vega writes, groups that are moved, texts in one line, paths; and what says its places itself, as the flow pictures do. */
function read(name: string): Picture {
  const svg = readFileSync(new URL(name, FOLDER), 'utf8');
  const picture: Picture = { width: 0, texts: [], markers: [], right: 0 };
  const places: [number, number][] = [[0, 0]];
  for (const [, isEnd, tag, attributes = '', isEmpty, content = ''] of svg.matchAll(TAG)) {
    if (isEnd) {
      places.pop();
      continue;
    }
    const [dx = 0, dy = 0] = (/translate\(([^)]*)\)/.exec(attributes)?.[1] ?? '0,0').split(',').map(Number);
    const [x, y] = places.at(-1)!;
    const own = (axis: string): number => Number(attribute(attributes, axis) ?? 0);
    const [left, top] = [x + dx + own('x'), y + dy + own('y')];
    if (!isEmpty) places.push([left, top]);
    if (tag === 'svg') picture.width = Number(attribute(attributes, 'width'));
    if (tag === 'text') picture.texts.push(textAt(left, top, attributes, content));
    if (tag === 'path' && attribute(attributes, 'aria-roledescription') === 'point')
      if (attribute(attributes, 'opacity') !== '0') picture.markers.push(markerOf({ x: left, y: top }));
    const wide = /^M0,0h([\d.]+)v/.exec(attribute(attributes, 'd') ?? '');
    if (tag === 'rect') picture.right = Math.max(picture.right, left + own('width'));
    if (wide) picture.right = Math.max(picture.right, left + Number(wide[1]));
  }
  picture.right = Math.max(picture.right, ...picture.texts.map(({ right }) => right));
  return picture;
}

/** The box of the digits and letters, from the line that they stand on. */
function textAt(x: number, baseline: number, attributes: string, text: string): Box & { text: string } {
  const size = Number.parseFloat(attribute(attributes, 'font-size') ?? '11');
  const width = textWidth(text, size, Number(attribute(attributes, 'font-weight') ?? 400) >= 600);
  const share = { middle: 0.5, end: 1 }[attribute(attributes, 'text-anchor') ?? ''] ?? 0;
  const left = x - width * share;
  return { text, left, right: left + width, top: baseline - size * 0.75, bottom: baseline };
}

function textsOf(file: string): string[] {
  return read(file).texts.map(({ text }) => text);
}

function boxes(labels: { x: number; y: number; label: string }[][]): Box[] {
  return labels.flat().map((one) => boxOf(one));
}

function pairs<T>(items: T[]): [T, T][] {
  return items.flatMap((a, index) => items.slice(index + 1).map((b): [T, T] => [a, b]));
}

describe.each(PICTURES)('%s', (name) => {
  const picture = read(name);

  test('has numbers that people read', () => {
    expect(picture.texts.length).toBeGreaterThan(5);
    expect(
      picture.texts.map(({ text }) => text).filter((text) => /\de[+-]?\d|NaN|undefined|Infinity/.test(text)),
    ).toEqual([]);
  });

  test('has no text over another one, nor over a marker', () => {
    const covered = pairs(picture.texts)
      .filter(([a, b]) => overlap(a, b))
      .map(([a, b]) => `${a.text} / ${b.text}`);
    const marked = picture.texts.filter((text) => picture.markers.some((marker) => overlap(text, marker)));
    expect([...covered, ...marked.map(({ text }) => `${text} / a marker`)]).toEqual([]);
  });

  test('has nothing blank at its side, and nothing cut off', () => {
    expect(picture.width - picture.right).toBeGreaterThanOrEqual(0);
    expect(picture.width - picture.right).toBeLessThan(picture.width / 20);
  });
});

test.each(PICTURES.filter((name) => name.endsWith('-light.svg')))(
  '%s is there for dark pages, with the same text',
  (name) => {
    expect(textsOf(name.replace('-light', '-dark'))).toEqual(textsOf(name));
  },
);

/** The figures of a page. */
function measuredOf(page: string): string {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
  return /<!-- measured -->([^]*)<!-- \/measured -->/.exec(text)?.[1] ?? '';
}

test("README's picture calls things as README and the table in short do", () => {
  const texts = new Set(read('benchmark-readme-light.svg').texts.map(({ text }) => text));
  const table = measuredOf('docs/benchmarks.md');
  const [, ...head] = /^\| Workload (.*)\|$/m
    .exec(table)![1]!
    .split('|')
    .map((cell) => cell.trim());
  expect(head.slice(0, 2).filter((title) => !texts.has(title))).toEqual([]);
  for (const title of head.slice(0, 2)) expect(measuredOf('README.md')).toContain(`NestJS over ${title}`);
  const workloads = new Set([...table.matchAll(/^\| ([A-Z][^|]*?) *\|/gm)].map(([, title]) => title!));
  const shown = [...texts].filter((text) => text.endsWith(' B'));
  expect(shown).not.toEqual([]);
  expect(shown.filter((title) => !workloads.has(title))).toEqual([]);
});

describe('labels of curves', () => {
  const room = { width: 300, height: 150 };

  test('stand apart where curves meet', () => {
    const curves = [0, 6, 12].map((below) =>
      [30, 90, 150, 210, 270].map((x, index) => ({ x, y: 120 - 20 * index + below, label: `${index}2,345` })),
    );
    const places = boxes(placeLabels(curves, room));
    expect(pairs(places).filter(([a, b]) => overlap(a, b))).toEqual([]);
    expect(curves.flat().filter((point) => places.some((box) => overlap(box, markerOf(point))))).toEqual([]);
  });

  test('stand above the upper curve and below the lower one where there is room', () => {
    const [upper, lower] = [40, 100].map((y) => [60, 150, 240].map((x) => ({ x, y, label: '12' })));
    const [above, below] = placeLabels([upper!, lower!], room);
    expect(above!.every(({ y }: { y: number }) => y < 40)).toBe(true);
    expect(below!.every(({ y }: { y: number }) => y > 100)).toBe(true);
  });
});
