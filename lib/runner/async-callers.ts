/** Most stack frames that are checked. */
const MOST_FRAMES = 200;

/**
 * The functions on the caller's stack, nearest first, followed by the async functions that await them: for stack
 * traces V8 follows awaited promises. Costs nothing unless it is called. Empty if the engine does not support it.
 */
function asyncCallers(): readonly NodeJS.CallSite[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  try {
    Error.stackTraceLimit = MOST_FRAMES;
    Error.prepareStackTrace = (_, sites) => sites;
    const sites: unknown = new Error('where this is called').stack;
    return Array.isArray(sites) ? (sites.slice(1) as NodeJS.CallSite[]) : [];
  } catch {
    // Error was frozen.
    return [];
  } finally {
    restore(stackTraceLimit, prepareStackTrace);
  }
}

/** Whether one of these functions, which must be of the calling file, awaits the calling function. */
export function isAwaitedBy(...functions: readonly { readonly name: string }[]): boolean {
  const callers = asyncCallers();
  const file = callers[1]?.getFileName();
  // By their actual names, because a bundler may have renamed them.
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
    // Could not be changed, so need not be restored.
  }
}
