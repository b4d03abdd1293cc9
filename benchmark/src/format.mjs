/** Formats of numbers, the same in terminals, pages and pictures. */

/** `format` of the value, or a dash without one. */
export function optional(value, format) {
  return value === null || value === undefined ? '–' : format(value);
}

/** With a capital letter at its beginning. */
export function capitalised(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}`;
}

/** A whole number in groups of three digits. */
export function grouped(value) {
  return Math.round(value).toLocaleString('en-GB');
}

/** A share of one. */
export function percent(value) {
  return `${Math.round(value * 100)} %`;
}

/** A ratio. */
export function times(value) {
  return `× ${significant(value)}`;
}

/** Three significant digits, without an exponent. */
export function significant(value) {
  return value >= 100 ? grouped(value) : String(Number(value.toPrecision(3)));
}

/** A table in Markdown, padded as Prettier does it; `align` is 'left' or 'right' for each column. */
export function markdownTable([head, ...rows], align) {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column].length)));
  const line = (cells) =>
    `| ${cells.map((cell, column) => pad(cell, widths[column], align[column])).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    align[column] === 'right' ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map((row) => line(row))].join('\n');
}

/** A table for a terminal: the first columns to the left, the others to the right. */
export function terminalTable([head, ...rows], align) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (cells) => cells.map((cell, column) => pad(cell, widths[column], align[column])).join('  ');
  return [line(head), '-'.repeat(line(head).length), ...rows.map((row) => line(row).trimEnd())].join('\n');
}

function pad(cell, width, align) {
  return align === 'right' ? cell.padStart(width) : cell.padEnd(width);
}
