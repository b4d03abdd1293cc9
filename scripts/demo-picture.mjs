// Draws docs/images/demo.svg, the picture in docs/getting-started.md: what `npm run demo` prints, run here, colours and all. The picture
// follows the reader's light or dark scheme. Times and ports are those of the run, so it is drawn anew when the demo changes.
//
//   node scripts/demo-picture.mjs

import { join } from 'node:path';
import { writeFile } from './lib/files.mjs';
import { Failure, main, ROOT, run, say } from './lib/process.mjs';

const PICTURE = join(ROOT, 'docs/images/demo.svg');
const FONT_SIZE = 13;
/** Approximate width of a character in common monospaced fonts; textLength makes it exact. */
const CHARACTER = FONT_SIZE * 0.6;
const LINE = 18;
const MARGIN = 18;

/** CSS classes for the terminal colour codes of the demo. */
const CLASSES = { 1: 'bold', 2: 'dim', 31: 'red', 32: 'green', 33: 'yellow', 35: 'magenta', 36: 'cyan' };

/** Built from a string, because a lint refuses control characters in regular expressions. */
const ESCAPE = new RegExp(String.raw`\u001B\[(\d+)m`);

const STYLE = `
  text { font: ${FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #1f2328 }
  .window { fill: #f6f8fa; stroke: #d0d7de }
  .bold { font-weight: bold }
  .dim { fill: #656d76 }
  .red { fill: #cf222e }
  .green { fill: #1a7f37 }
  .yellow { fill: #7d4e00 }
  .magenta { fill: #8250df }
  .cyan { fill: #0a6c74 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .window { fill: #0d1117; stroke: #30363d }
    .dim { fill: #8d96a0 }
    .red { fill: #ff7b72 }
    .green { fill: #3fb950 }
    .yellow { fill: #d29922 }
    .magenta { fill: #bc8cff }
    .cyan { fill: #39c5cf }
  }`;

await main(import.meta.url, async () => {
  const script = join(ROOT, 'scripts/demo.mjs');
  const { code, stdout, output } = await run(process.execPath, [script], { env: { FORCE_COLOR: '1' } });
  if (code !== 0) throw new Failure(`npm run demo failed:\n${output}`);
  writeFile(PICTURE, picture(['\u001B[1m$ npm run demo\u001B[0m', '', ...stdout.trimEnd().split('\n')]));
  say('docs/images/demo.svg: written');
});

function picture(lines) {
  const rows = lines.map(runs);
  const columns = Math.max(...rows.map((row) => row.reduce((sum, { text }) => sum + text.length, 0)));
  const [width, height] = [columns * CHARACTER + 2 * MARGIN, lines.length * LINE + 2 * MARGIN].map(Math.ceil);
  const texts = rows.map(drawRow).filter(Boolean);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="The output of npm run demo">
<style>${STYLE}
</style>
<rect class="window" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${texts.join('\n')}
</svg>
`;
}

/** A line's pieces, each with the class of its colour. */
function runs(line) {
  const pieces = [];
  let style = '';
  // The separators alternate with the texts, which come first.
  for (const [index, part] of line.split(ESCAPE).entries()) {
    if (index % 2 === 1) style = CLASSES[part] ?? '';
    else if (part !== '') pieces.push({ text: part, style });
  }
  return pieces;
}

function drawRow(pieces, row) {
  let column = 0;
  const y = MARGIN + row * LINE + FONT_SIZE;
  const spans = pieces.map(({ text, style }) => {
    const shown = text.trim();
    const x = MARGIN + (column + text.length - text.trimStart().length) * CHARACTER;
    column += text.length;
    if (shown === '') return '';
    const length = (shown.length * CHARACTER).toFixed(1);
    const kind = style && ` class="${style}"`;
    return `<text x="${x.toFixed(1)}" y="${y}" textLength="${length}" xml:space="preserve"${kind}>${escape(shown)}</text>`;
  });
  return spans.join('');
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
