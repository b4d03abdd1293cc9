import { codeOf } from '../kafkajs/errors/codes.js';
import type { EventOf } from './core-events.js';
import type { Logger } from '../kafkajs/types/index.js';

/** syslog's severities, as librdkafka uses them. */
const ERROR = 3;
const WARNING = 4;
const INFO = 6;

/** librdkafka's log reports a lost connection too, in more detail. */
const TRANSPORT = codeOf('_TRANSPORT');
/** Repeated with every attempt to connect, during `connect()` twenty times a second. */
const ALL_BROKERS_DOWN = codeOf('_ALL_BROKERS_DOWN');

/** Writes the core's `log` and `error` events to kafkajs's logger. */
export function consumeLog(logger: Logger, event: EventOf<'log' | 'error'>): void {
  if (event.type === 'log') {
    const { level, facility, message } = event;
    const extra = { facility };
    if (level <= ERROR) logger.error(message, extra);
    else if (level <= WARNING) logger.warn(message, extra);
    else if (level <= INFO) logger.info(message, extra);
    else logger.debug(message, extra);
  } else {
    const { message, code, fatal, topic, partition } = event;
    const extra = { code, ...(topic ? { topic, partition } : {}) };
    if (fatal) logger.error(message, extra);
    else if (code === TRANSPORT || code === ALL_BROKERS_DOWN) logger.debug(message, extra);
    else logger.warn(message, extra);
  }
}
