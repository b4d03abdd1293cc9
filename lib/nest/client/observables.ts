import { Observable, Subject, type Observer, type TeardownLogic } from 'rxjs';

// NestJS builds these Observables from operators: defer, mergeMap, connectable. These behave the same; the operators
// took more than a third of a client's CPU time per message.

/**
 * A request: sent for each subscriber, once connected. Unsubscribing before that sends nothing; unsubscribing later
 * cancels the request.
 */
export function onceConnected<T>(
  connect: () => Promise<unknown>,
  publish: (observer: Observer<T>) => TeardownLogic,
): Observable<T> {
  return new Observable<T>((observer) => {
    const fail = (error: unknown): void => observer.error(error);
    const send = (): void => {
      if (observer.closed) return;
      try {
        observer.add(publish(observer));
      } catch (error) {
        fail(error);
      }
    };
    connect().then(send, fail);
  });
}

/** An event: sent once, with or without a subscriber; subscribers get the outcome. */
export function atOnce<T>(send: () => Promise<T>): Observable<T> {
  const outcome = new Subject<T>();
  const tell = (value: T): void => {
    outcome.next(value);
    outcome.complete();
  };
  send().then(tell, (error: unknown) => outcome.error(error));
  return outcome.asObservable();
}
