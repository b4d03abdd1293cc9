import type { Channel, TracingChannel } from 'node:diagnostics_channel';

// What `bindStore()` of a channel does, for contexts that are entered by a function. A bound AsyncLocalStorage cannot stand
// for one: from Node.js 26.1 on, channels enter stores without calling their `run()`.

/** The contexts bound to a channel; on the channel, which all copies of the package share. */
const BOUND: unique symbol = Symbol.for('nestjs-kafka-native.bound-contexts');

interface BoundContext {
  /** Answers the function that makes a call within the context of what is traced. */
  readonly enter: (traced: object) => <Result>(call: () => Result) => Result;
}

type BoundChannel = Channel & { [BOUND]?: Set<BoundContext> };

/**
 * Makes a channel's traced calls run in a context: `contextOf` makes it, and `run` calls a function within it. As with
 * `bindStore()`, an exception of `contextOf` becomes an uncaught one, and the call is made without the context. Answers
 * the function that undoes it.
 */
export function bindContext<Traced extends object, Context>(
  tracing: TracingChannel<unknown, Traced>,
  contextOf: (traced: Traced) => Context,
  run: <Result>(context: Context, call: () => Result) => Result,
): () => void {
  const channel = tracing.start as BoundChannel;
  const bound: BoundContext = {
    enter: (traced) => {
      const context = contextOf(traced as Traced);
      return (call) => run(context, call);
    },
  };
  const all = (channel[BOUND] ??= new Set());
  all.add(bound);
  return () => {
    all.delete(bound);
  };
}

/** Makes a call within the contexts bound to a channel, and answers what it answers. */
export function withinBoundContexts<Result>(start: Channel, traced: object, call: () => Result): Result {
  let next = call;
  for (const { enter } of (start as BoundChannel)[BOUND] ?? []) {
    try {
      const within = enter(traced);
      const inner = next;
      next = () => within(inner);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }
  return next();
}
