/** Longest time that a timer of Node.js can wait, in milliseconds: one that is set for longer fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;
