// Numbers that look random, the same ones for a seed: the program's first argument.
export const seed = process.argv[2];

let state = Number(seed) >>> 0;
/** mulberry32 */
export function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
export const below = (n) => Math.floor(random() * n);
export const pick = (list) => list[below(list.length)];
