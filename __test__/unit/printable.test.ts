import { describe, expect, it, vi } from 'vitest';
import { kafkaErrorFromNative } from '../../lib/kafkajs/errors/index.js';
import { createLogger } from '../../lib/kafkajs/logger.js';
import { guardedLogger } from '../../lib/nest/log/guarded-logger.js';
import { printable } from '../../lib/values/printable.js';
import { logLevel } from '../../lib/kafkajs/types/index.js';

const HOSTILE = 'no\u001b[31m entry\r\n{"level":"INFO"}\u0085\u2028\u202e';
const HARMLESS = 'no\\u001b[31m entry\\r\\n{"level":"INFO"}\\u0085\\u2028\\u202e';

describe('text of others', () => {
  it('is escaped where it could feign a line or command a terminal, and else as it is', () => {
    expect(printable(HOSTILE)).toBe(HARMLESS);
    expect(printable('Grüße, 世界 👋 C:\\temp')).toBe('Grüße, 世界 👋 C:\\temp');
  });

  it.each([-169, -195, -185, 58, 3, -186])('is so in an error of code %i, and in its cause', (code) => {
    const error = kafkaErrorFromNative({ code, message: HOSTILE });
    for (const text of [error.message, error.stack, error.cause?.message, error.cause?.stack]) {
      expect(text?.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u202e]/u);
    }
    expect(`${error.message} ${error.cause?.message}`).toContain(HARMLESS);
  });

  it('is so in an entry of the log, whose stack keeps its lines', () => {
    const write = vi.fn();
    const logger = createLogger({ level: logLevel.INFO, logCreator: () => write }).namespace('Consumer');
    logger.warn(`Member ${HOSTILE}`, { topic: HOSTILE, offset: 1, stack: 'Error\n    at here' });
    expect(write.mock.calls[0]![0].log).toMatchObject({
      message: `Member ${HARMLESS}`,
      topic: HARMLESS,
      offset: 1,
      stack: 'Error\n    at here',
    });
  });

  it.each(['warn', 'error'] as const)('is so in a line of NestJS’s logger: %s', (method) => {
    const nest = { log: vi.fn(), error: vi.fn(), warn: vi.fn() };
    guardedLogger(() => nest)[method](`Message 0 is now in t.DLT: it failed with Error: ${HOSTILE}`);
    expect(nest[method].mock.calls).toEqual([
      [`Message 0 is now in t.DLT: it failed with Error: ${HARMLESS}`],
    ]);
  });
});
