/** Control characters, and other characters that end a line or change how a terminal shows it. */
const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Makes text from outside (a broker, a record's producer, a group member) safe for a log or an error. Control
 * characters are escaped as in a string literal, so that the text cannot fake log lines or control a terminal.
 */
export const printable = (text: string): string =>
  text.replace(CONTROL, (c) => SHORT[c] ?? `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
