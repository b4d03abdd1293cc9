/** Places the labels of curves' points so that none covers another label, a marker or a line. */
import { textWidth } from './text-width.mjs';

export const LABEL_SIZE = 11;
export const MARKER_RADIUS = 4;

/** Half the height that digits and their surroundings take. */
const HALF_HEIGHT = LABEL_SIZE / 2;
/** How far a label's middle is from its point: close by, or further where others are in between. */
const DISTANCES = [12, 20, 29];
/** Above and below, in the middle, or to a side of a line that passes there. */
const SIDES = [0, -0.5, 0.5, -0.8, 0.8];
/** Penalties: overlapping labels are unreadable, a line behind a label is acceptable. */
const COVERED = 1000;
const CROSSED = 20;
const OUTSIDE = 200;

/**
 * Places the labels of curves.
 *
 * @param {{ x: number, y: number, label: string }[][]} curves the points of each, from left to right, in pixels from the top left
 * @param {{ width: number, height: number }} room the panel that they are in
 * @returns {{ x: number, y: number, label: string }[][]} the middle of each label, in the same order
 */
export function placeLabels(curves, room) {
  const points = curves.flat();
  const lines = curves.flatMap((curve) => curve.slice(1).map((to, index) => ({ from: curve[index], to })));
  const placed = new Map();
  // From left to right, and where curves are close the upper one first: it takes the place above.
  for (const point of points.toSorted((a, b) => a.x - b.x || a.y - b.y)) {
    const isUpper = points.every(({ x, y }) => x !== point.x || y >= point.y);
    const others = [...placed.values()];
    const cost = (box) =>
      count(others, (other) => overlap(box, other)) * COVERED +
      count(points, (one) => overlap(box, markerOf(one))) * COVERED +
      count(lines, (line) => crosses(line, around(box))) * CROSSED +
      (isInside(box, room) ? 0 : OUTSIDE);
    const choices = boxesAround(point, isUpper).map((box, rank) => ({ box, cost: cost(box) + rank / 10 }));
    placed.set(point, choices.reduce((best, one) => (one.cost < best.cost ? one : best)).box);
  }
  return curves.map((curve) => curve.map((point) => middleOf(placed.get(point), point.label)));
}

/** Whether two boxes share a pixel. */
export function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** The box of a text whose middle is given. */
export function boxOf({ x, y, label }, size = LABEL_SIZE) {
  const half = textWidth(label, size) / 2;
  return { left: x - half, right: x + half, top: y - HALF_HEIGHT, bottom: y + HALF_HEIGHT };
}

export function markerOf({ x, y }) {
  return {
    left: x - MARKER_RADIUS,
    right: x + MARKER_RADIUS,
    top: y - MARKER_RADIUS,
    bottom: y + MARKER_RADIUS,
  };
}

function boxesAround({ x, y, label }, isUpper) {
  const width = textWidth(label, LABEL_SIZE);
  const ways = isUpper ? [-1, 1] : [1, -1];
  return ways.flatMap((way) =>
    DISTANCES.flatMap((distance) =>
      SIDES.map((side) => boxOf({ x: x + side * width, y: y + way * distance, label })),
    ),
  );
}

/** With the width of a line around it. */
function around({ left, right, top, bottom }) {
  return { left: left - 1, right: right + 1, top: top - 1, bottom: bottom + 1 };
}

function middleOf({ left, right, top, bottom }, label) {
  return { x: (left + right) / 2, y: (top + bottom) / 2, label };
}

function isInside({ left, right, top, bottom }, { width, height }) {
  return left >= 0 && right <= width && top >= 0 && bottom <= height;
}

/** Whether a line passes through a box: it is cut to the box's width, then to its height. */
function crosses({ from, to }, { left, right, top, bottom }) {
  let [start, end] = [0, 1];
  for (const [origin, delta, low, high] of [
    [from.x, to.x - from.x, left, right],
    [from.y, to.y - from.y, top, bottom],
  ]) {
    if (delta === 0) {
      if (origin < low || origin > high) return false;
      continue;
    }
    const cuts = [(low - origin) / delta, (high - origin) / delta];
    start = Math.max(start, Math.min(...cuts));
    end = Math.min(end, Math.max(...cuts));
  }
  return start < end;
}

function count(items, isCounted) {
  return items.filter((item) => isCounted(item)).length;
}
