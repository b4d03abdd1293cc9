import type { LoggerService } from '@nestjs/common';
import { runCallback } from '../../application/callbacks.js';
import { consoleLogCreator } from '../../kafkajs/logger.js';
import { printable } from '../../values/printable.js';
import { logLevel } from '../../kafkajs/types/index.js';

/** The logger for this package's own lines. */
export type GuardedLogger = Pick<LoggerService, 'error' | 'warn'>;

/**
 * NestJS's logger, which may be the application's: if it throws, the line goes to the console. Lines may contain text
 * from outside, like the name of a topic or an error's message, which is made printable; an error object is passed on
 * as it is.
 */
export function guardedLogger(logger: () => LoggerService): GuardedLogger {
  const write =
    (method: 'error' | 'warn', level: logLevel) =>
    (message: unknown): void =>
      runCallback(
        () => logger()[method](typeof message === 'string' ? printable(message) : message),
        (error) => {
          const log = {
            timestamp: new Date().toISOString(),
            message: "NestJS's logger failed",
            entry: message,
          };
          consoleLogCreator(level)({
            namespace: '',
            level,
            label: method.toUpperCase(),
            log: { ...log, error: error.message },
          });
        },
      );
  return { error: write('error', logLevel.ERROR), warn: write('warn', logLevel.WARN) };
}
