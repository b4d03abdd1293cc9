import type { CoreEvent } from './producer-handle.js';
import type { Logger } from './types.js';

/** syslog's severities, as librdkafka uses them. */
const ERROR = 3;
const WARNING = 4;
const INFO = 6;

/** Writes the core's `log` and `error` events to kafkajs's logger. */
export function consumeLog(logger: Logger, event: CoreEvent): void {
  if (event.type === 'log') {
    const { level, facility, message } = event;
    const extra = { facility };
    if (level <= ERROR) logger.error(message, extra);
    else if (level <= WARNING) logger.warn(message, extra);
    else if (level <= INFO) logger.info(message, extra);
    else logger.debug(message, extra);
  } else if (event.type === 'error') {
    const { message, code, fatal, topic, partition } = event;
    const extra = { code, ...(topic ? { topic, partition } : {}) };
    if (fatal) logger.error(message, extra);
    else logger.warn(message, extra);
  }
}
