import { runCallback } from '../application/callbacks.js';
import { jsonOf } from '../values/describe.js';
import { printable } from '../values/printable.js';
import { logLevel, type LogEntry, type logCreator, type Logger } from './types/index.js';

const LABELS: readonly (readonly [method: 'info' | 'error' | 'warn' | 'debug', level: logLevel])[] = [
  ['info', logLevel.INFO],
  ['error', logLevel.ERROR],
  ['warn', logLevel.WARN],
  ['debug', logLevel.DEBUG],
];

/** The effective level: the environment variable `KAFKAJS_LOG_LEVEL` overrides the configured one, as in kafkajs. */
export function effectiveLogLevel<T extends logLevel | null>(level: T): T | logLevel {
  const name = (process.env['KAFKAJS_LOG_LEVEL'] ?? '').toUpperCase();
  return Object.hasOwn(logLevel, name) ? logLevel[name as keyof typeof logLevel] : level;
}

/**
 * kafkajs's default: a JSON line on the console's stream of that level; values that JSON does not support are written
 * as text.
 */
export const consoleLogCreator: logCreator =
  () =>
  ({ namespace, level, label, log }: LogEntry): void => {
    const prefix = namespace ? `[${namespace}] ` : '';
    const message = jsonOf({ level: label, ...log, message: `${prefix}${log.message}` });
    switch (level) {
      case logLevel.INFO:
        return console.info(message);
      case logLevel.ERROR:
        return console.error(message);
      case logLevel.WARN:
        return console.warn(message);
      case logLevel.DEBUG:
        return console.log(message);
    }
  };

/**
 * Makes the extra fields of an entry safe to print: they may contain names and texts from outside. Stacks keep their
 * line breaks.
 */
function makePrintable(log: Record<string, unknown>, extra: object): void {
  for (const name of Object.keys(extra)) {
    const value = log[name];
    if (typeof value === 'string' && name !== 'stack') log[name] = printable(value);
  }
}

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  level?: logLevel;
  logCreator?: logCreator;
}

/** Calls a log creator's function; a line for which it throws is written to the console, with the reason. */
function guarded(write: (entry: LogEntry) => unknown): (entry: LogEntry) => void {
  const fallback = consoleLogCreator(logLevel.NOTHING);
  return (entry) =>
    runCallback(
      () => write(entry),
      ({ message }) => {
        fallback(entry);
        const text = `The function of client.logCreator failed: ${message}`;
        const log = { timestamp: new Date().toISOString(), logger: 'kafkajs', message: text };
        fallback({ namespace: entry.namespace, level: logLevel.ERROR, label: 'ERROR', log });
      },
    );
}

/**
 * kafkajs's root logger: `namespace()` creates a logger for a part, with its own level or the root's (also after
 * `setLogLevel`). Entries keep kafkajs's `logger: 'kafkajs'`, which log creators filter on.
 */
export function createLogger({
  level = logLevel.INFO,
  logCreator: create = consoleLogCreator,
}: LoggerOptions = {}): Logger {
  let rootLevel: logLevel = effectiveLogLevel(level);
  const write = guarded(create(rootLevel));

  const createFunctions = (namespace: string, ownLevel: logLevel | null): Logger => {
    const logger: Partial<Logger> = {
      namespace: (name, namespaceLevel) => createFunctions(name, effectiveLogLevel(namespaceLevel ?? null)),
      setLogLevel: (newLevel) => {
        rootLevel = newLevel;
      },
    };
    for (const [method, entryLevel] of LABELS) {
      logger[method] = (message, extra = {}) => {
        if (entryLevel > (ownLevel ?? rootLevel)) return;
        const log = {
          timestamp: new Date().toISOString(),
          logger: 'kafkajs',
          message: typeof message === 'string' ? printable(message) : message,
          ...extra,
        };
        makePrintable(log, extra);
        write({ namespace, level: entryLevel, label: method.toUpperCase(), log });
      };
    }
    return logger as Logger;
  };

  // Entries of kafkajs's root logger have no namespace; an empty one prints the same and keeps the type.
  return createFunctions('', null);
}
