import { Observable, Subscriber, type Observer, type Operator, type Subscription } from 'rxjs';
import { runCallback, type FailureListener } from '../application/callbacks.js';

type Next<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/**
 * An Observable that survives exceptions of subscribers, also after operators. RxJS rethrows a subscriber's exception
 * as an uncaught one, which would end the process.
 */
export class GuardedObservable<T> extends Observable<T> {
  readonly #failed: FailureListener;

  constructor(source: Observable<any>, failed: FailureListener) {
    super();
    this.source = source;
    this.#failed = failed;
  }

  // Called by pipe(); RxJS's subjects override it in the same way.
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
    // A subscriber of an operator, which handles exceptions itself.
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
