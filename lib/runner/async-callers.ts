/** Frames that are looked at. */
const MOST_FRAMES = 200;

/**
 * The functions that have called the one that calls this, the nearest first, and behind them those that wait for them: V8 follows the
 * promises that are awaited, for stack traces. It costs nothing until it is asked. Empty on an engine that cannot tell.
 */
export function asyncCallers(): readonly NodeJS.CallSite[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  try {
    Error.stackTraceLimit = MOST_FRAMES;
    Error.prepareStackTrace = (_, sites) => sites;
    const sites: unknown = new Error('where this is called').stack;
    return Array.isArray(sites) ? (sites.slice(1) as NodeJS.CallSite[]) : [];
  } catch {
    // A frozen Error.
    return [];
  } finally {
    restore(stackTraceLimit, prepareStackTrace);
  }
}

function restore(limit: number, prepare: typeof Error.prepareStackTrace): void {
  try {
    Error.stackTraceLimit = limit;
    Error.prepareStackTrace = prepare;
  } catch {
    // It was not changed.
  }
}
