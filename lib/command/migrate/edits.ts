/** Replaces parts of a text; the rest stays unchanged. */
export class Edits {
  readonly #text: string;
  readonly #edits: { start: number; end: number; with: string }[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** Whether there are no edits. */
  get isEmpty(): boolean {
    return this.#edits.length === 0;
  }

  replace(start: number, end: number, text: string): void {
    const same = this.#edits.some((edit) => edit.start === start && edit.end === end && edit.with === text);
    if (!same) this.#edits.push({ start, end, with: text });
  }

  insert(at: number, text: string): void {
    this.replace(at, at, text);
  }

  /** Removes an item of a list with the comma after it, or before it, and its line if nothing else is on it. */
  removeItem(start: number, end: number): void {
    let [from, to] = [start, end];
    const behind = /^\s*,/.exec(this.#text.slice(to));
    if (behind !== null) to += behind[0].length;
    else from -= /(?:,\s*)?$/.exec(this.#text.slice(0, from))?.[0].length ?? 0;
    const lineStart = this.#text.lastIndexOf('\n', from - 1) + 1;
    const rest = /^[ \t]*(?:\r?\n|$)/.exec(this.#text.slice(to));
    const isOwnLine = this.#text.slice(lineStart, from).trim() === '' && rest !== null;
    if (isOwnLine) [from, to] = [lineStart, to + rest[0].length];
    else if (behind !== null) to += /^[ \t]*(?:\r?\n[ \t]*)?/.exec(this.#text.slice(to))?.[0].length ?? 0;
    this.replace(from, to, '');
  }

  /** The text with all edits applied. */
  apply(): string {
    const sorted = this.#edits.toSorted((a, b) => a.start - b.start || a.end - b.end);
    let result = '';
    let at = 0;
    for (const { start, end, with: text } of sorted) {
      if (start < at) continue; // Inside of a part that has been replaced already.
      result += this.#text.slice(at, start) + text;
      at = end;
    }
    return result + this.#text.slice(at);
  }
}
