/** What a handler has answered, as text for a store; empty for nothing, and for what JSON does not hold: no reply could hold it either. */
export function resultText(result: unknown): string {
  try {
    return JSON.stringify(result) ?? '';
  } catch {
    return '';
  }
}

/** What such a text stands for. */
export function resultOf(text: string): unknown {
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}
