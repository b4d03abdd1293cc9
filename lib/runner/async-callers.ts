/** Frames that are looked at. */
const MOST_FRAMES = 200;

/**
 * The functions that have called the one that calls this, the nearest first, and behind them those that wait for them: V8 follows the
 * promises that are awaited, for stack traces. It costs nothing until it is asked. Empty on an engine that cannot tell.
 */
function asyncCallers(): readonly NodeJS.CallSite[] {
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

/** Whether one of these functions, which are of the file that calls this, waits for the function that does. */
export function isAwaitedBy(...functions: readonly { readonly name: string }[]): boolean {
  const callers = asyncCallers();
  const file = callers[1]?.getFileName();
  // By what they are called here: a bundler may have given them other names.
  const names = new Set(functions.map(({ name }) => name));
  return callers.some(
    (caller) =>
      caller.isAsync() && caller.getFileName() === file && names.has(caller.getFunctionName() ?? ''),
  );
}

function restore(limit: number, prepare: typeof Error.prepareStackTrace): void {
  try {
    Error.stackTraceLimit = limit;
    Error.prepareStackTrace = prepare;
  } catch {
    // It was not changed.
  }
}
