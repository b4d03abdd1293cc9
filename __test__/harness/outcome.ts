import type { Observable } from 'rxjs';
import { DEADLINE_MS } from './wait';

/** Everything a client sees of one call. */
export interface Outcome {
  values: unknown[];
  ended: 'completed' | 'failed' | 'timed out';
  error?: unknown;
}

/**
 * Subscribes, and resolves when the stream completes or fails; a stream that does neither in time is reported as
 * such.
 */
export function outcome(stream: Observable<unknown>, deadlineMs = DEADLINE_MS): Promise<Outcome> {
  return new Promise((resolve) => {
    const values: unknown[] = [];
    const timer = setTimeout(() => {
      subscription.unsubscribe();
      resolve({ values, ended: 'timed out' });
    }, deadlineMs);
    const subscription = stream.subscribe({
      next: (value) => {
        values.push(value);
      },
      error: (error: unknown) => {
        clearTimeout(timer);
        resolve({ values, ended: 'failed', error });
      },
      complete: () => {
        clearTimeout(timer);
        resolve({ values, ended: 'completed' });
      },
    });
  });
}
