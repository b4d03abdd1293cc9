/** Control characters, and what else ends a line or changes how a terminal shows one. */
const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text that others have written, for a log or an error: a broker, whoever produced a record, a member of the group. Control characters in
 * it are escaped, as in a string literal, so that it cannot feign lines of a log or command a terminal.
 */
export const printable = (text: string): string =>
  text.replace(CONTROL, (c) => SHORT[c] ?? `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
