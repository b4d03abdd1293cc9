import type { LoggerService } from '@nestjs/common';
import { jsonOf } from '../../values/describe.js';
import { logLevel, type logCreator } from '../../kafkajs/types/index.js';

/** Writes kafkajs's log entries to NestJS's logger, as NestJS's `KafkaLogger` does. */
export function nestLogCreator(logger: LoggerService): logCreator {
  return () =>
    ({ namespace, level, label, log }) => {
      const { message, ...others } = log;
      const line = `${label} [${namespace}] ${message} ${jsonOf(others)}`;
      switch (level) {
        case logLevel.ERROR:
        case logLevel.NOTHING:
          logger.error(line);
          break;
        case logLevel.WARN:
          logger.warn(line);
          break;
        case logLevel.INFO:
          logger.log(line);
          break;
        default:
          logger.debug?.(line);
      }
    };
}
