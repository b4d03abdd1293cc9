import * as kafkajs from 'kafkajs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { consoleLogCreator, createLogger, effectiveLogLevel } from '../../lib/kafkajs/logger.js';
import { logLevel, type LogEntry } from '../../lib/kafkajs/types/index.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

function recorder() {
  const entries: LogEntry[] = [];
  const create = vi.fn(() => (entry: LogEntry) => void entries.push(entry));
  return { entries, create };
}

describe('the logger', () => {
  it('has kafkajs’s levels', () => {
    expect(logLevel).toEqual(kafkajs.logLevel);
  });

  it('writes kafkajs’s entries', () => {
    const { entries, create } = recorder();
    createLogger({ logCreator: create }).namespace('Consumer').warn('careful', { groupId: 'g' });
    expect(create).toHaveBeenCalledWith(logLevel.INFO);
    expect(entries).toEqual([
      {
        namespace: 'Consumer',
        level: logLevel.WARN,
        label: 'WARN',
        log: {
          timestamp: expect.stringMatching(/^\d{4}-/),
          logger: 'kafkajs',
          message: 'careful',
          groupId: 'g',
        },
      },
    ]);
  });

  it('writes only what the level lets through', () => {
    const { entries, create } = recorder();
    const logger = createLogger({ level: logLevel.ERROR, logCreator: create });
    const verbose = logger.namespace('Verbose', logLevel.DEBUG);
    logger.info('no');
    verbose.debug('yes');
    logger.namespace('Other').setLogLevel(logLevel.INFO);
    logger.info('now');
    expect(entries.map(({ log }) => log.message)).toEqual(['yes', 'now']);
  });

  it('obeys KAFKAJS_LOG_LEVEL', () => {
    vi.stubEnv('KAFKAJS_LOG_LEVEL', 'debug');
    expect(effectiveLogLevel(logLevel.ERROR)).toBe(logLevel.DEBUG);
    vi.stubEnv('KAFKAJS_LOG_LEVEL', 'nonsense');
    expect(effectiveLogLevel(logLevel.ERROR)).toBe(logLevel.ERROR);
    expect(effectiveLogLevel(null)).toBe(null);
  });

  it.each([
    [logLevel.INFO, 'info'],
    [logLevel.ERROR, 'error'],
    [logLevel.WARN, 'warn'],
    [logLevel.DEBUG, 'log'],
  ] as const)('prints level %i with console.%s', (level, method) => {
    const print = vi.spyOn(console, method).mockImplementation(() => undefined);
    const log = { timestamp: 'now', logger: 'kafkajs', message: 'hello' };
    consoleLogCreator(level)({ namespace: 'Producer', level, label: 'L', log });
    expect(print.mock.calls).toEqual([
      ['{"level":"L","timestamp":"now","logger":"kafkajs","message":"[Producer] hello"}'],
    ]);
  });
});
