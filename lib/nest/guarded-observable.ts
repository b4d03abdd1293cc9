import { Observable, Subscriber, type Observer, type Operator, type Subscription } from 'rxjs';
import { runCallback, type FailureListener } from '../application/callbacks.js';

type Next<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/**
 * An Observable whose subscribers may throw, also behind operators. RxJS throws what a subscriber throws where nobody can catch it, and
 * the process ends.
 */
export class GuardedObservable<T> extends Observable<T> {
  readonly #failed: FailureListener;

  constructor(source: Observable<any>, failed: FailureListener) {
    super();
    this.source = source;
    this.#failed = failed;
  }

  // What pipe() makes; RxJS's subjects carry themselves on in the same way.
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this, this.#failed);
    lifted.operator = operator;
    return lifted;
  }

  override subscribe(
    next?: Next<T>,
    error?: ((error: any) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // An operator's, which catches for itself.
    if (next instanceof Subscriber) return super.subscribe(next);
    const observer: Partial<Observer<T>> =
      typeof next === 'object' && next !== null
        ? next
        : { ...(next && { next }), ...(error && { error }), ...(complete && { complete }) };
    return super.subscribe({
      next: (value) => runCallback(() => observer.next?.(value), this.#failed),
      ...(observer.error && { error: (e: unknown) => runCallback(() => observer.error?.(e), this.#failed) }),
      complete: () => runCallback(() => observer.complete?.(), this.#failed),
    });
  }
}
