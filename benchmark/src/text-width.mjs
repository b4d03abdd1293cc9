/**
 * The width of a text without a browser, computed with the widths of DejaVu Sans, the widest of the common fonts, so
 * that what fits here fits everywhere. Vega's own guess, 0.8 em a character, leaves a quarter of a picture blank
 * behind a long title.
 */

/** In thousandths of an em, for characters that differ from the rest. */
const WIDTHS = new Map(
  Object.entries({
    ijl: 278,
    ',.': 318,
    ' ': 318,
    "'|:;": 337,
    'ft()I-/': 392,
    rs: 521,
    ckJzvxy: 592,
    'mw%W': 974,
    '×÷–+=': 838,
    'MOQGNHDUC@&': 787,
  }).flatMap(([characters, width]) => [...characters].map((character) => [character, width])),
);
const DIGIT_OR_LETTER = 636;
const CAPITAL = 698;
const BOLD = 1.12;

/**
 * The width of a text in one line.
 *
 * @param {string} text
 * @param {number} fontSize in pixels, as the result is
 * @param {boolean} isBold
 */
export function textWidth(text, fontSize, isBold = false) {
  const thousandths = [...text].reduce((sum, character) => sum + widthOf(character), 0);
  return (thousandths / 1000) * fontSize * (isBold ? BOLD : 1);
}

function widthOf(character) {
  return WIDTHS.get(character) ?? (/\p{Lu}/u.test(character) ? CAPITAL : DIGIT_OR_LETTER);
}
