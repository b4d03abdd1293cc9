import { vi } from 'vitest';

/** How long a wait may take before the test fails. Generous: nothing here asserts speed. */
export const DEADLINE_MS = 30_000;

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

/** Resolves after `ms`; only for polling something that has no event, and for "nothing comes" checks. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Polls `probe` until it returns a value other than undefined or false. `what` may tell how far it has come in the end. */
export async function until<T>(
  what: string | (() => string),
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) {
      const text = typeof what === 'string' ? what : what();
      throw new Error(`timed out after ${deadlineMs} ms waiting until ${text}`);
    }
    await pause(20);
  }
}

/** Fails with `what` when `promise` is not settled in time, so that a hanging test says what it waits for. */
export async function within<T>(what: string, promise: Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`timed out after ${deadlineMs} ms waiting for ${what}`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

const gates = new Set<Gate>();

/** Opens every gate: after a failed test no handler may go on waiting, or closing would hang. */
export function openGates(): void {
  for (const gate of gates) gate.open();
  gates.clear();
}

/** A gate that a handler waits for and a test opens. */
export class Gate {
  private release: () => void = () => undefined;
  private readonly opened = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  constructor() {
    gates.add(this);
  }

  open(): void {
    this.release();
  }

  pass(): Promise<void> {
    return this.opened;
  }
}
