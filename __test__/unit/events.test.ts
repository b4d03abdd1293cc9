import * as kafkajs from 'kafkajs';
import { describe, expect, it, vi } from 'vitest';
import {
  adminEvents,
  consumerEvents,
  InstrumentationEmitter,
  producerEvents,
} from '../../lib/kafkajs/instrumentation/emitter.js';

const kafka = new kafkajs.Kafka({ brokers: ['localhost:1'], logLevel: kafkajs.logLevel.NOTHING });

describe('the event names', () => {
  it('are kafkajs’s', () => {
    expect(consumerEvents).toEqual(kafka.consumer({ groupId: 'g' }).events);
    expect(producerEvents).toEqual(kafka.producer().events);
    expect(adminEvents).toEqual(kafka.admin().events);
  });
});

describe('the emitter', () => {
  it('calls listeners with id, type, timestamp and payload', () => {
    const emitter = new InstrumentationEmitter('consumer');
    const listener = vi.fn();
    emitter.on('consumer.group_join', listener);
    emitter.emit('consumer.group_join', { groupId: 'g' });
    emitter.emit('consumer.group_join');
    expect(listener.mock.calls[0]![0]).toEqual({
      id: expect.any(Number),
      type: 'consumer.group_join',
      timestamp: expect.any(Number),
      payload: { groupId: 'g' },
    });
    expect(listener.mock.calls[1]![0]).toMatchObject({ payload: null });
  });

  it('counts the events of all emitters together, as kafkajs does', () => {
    const ids: unknown[] = [];
    const roles = ['consumer', 'producer', 'admin', 'consumer'] as const;
    for (const role of roles) {
      const emitter = new InstrumentationEmitter(role);
      emitter.on(`${role}.connect`, ({ id }) => void ids.push(id));
      emitter.emit(`${role}.connect`);
    }
    const first = ids[0] as number;
    expect(ids).toEqual([first, first + 1, first + 2, first + 3]);
  });

  it('returns the function that removes the listener, and no other', () => {
    const emitter = new InstrumentationEmitter('producer');
    const listener = vi.fn();
    const remove = emitter.on('producer.connect', listener);
    emitter.on('producer.connect', listener);
    remove();
    remove();
    emitter.emit('producer.connect');
    expect(listener).toHaveBeenCalledTimes(1);
    expect(emitter.listens('producer.connect')).toBe(true);
    expect(emitter.listens('producer.disconnect')).toBe(false);
  });

  it.each(['consumer', 'producer', 'admin'] as const)(
    'refuses unknown names in kafkajs’s words: %s',
    (role) => {
      const theirs = role === 'consumer' ? kafka.consumer({ groupId: 'g' }) : kafka[role]();
      const text = messageOf(() =>
        (theirs.on as (name: string, listener: () => void) => void)('nonsense', () => undefined),
      );
      const error = errorOf(() => new InstrumentationEmitter(role).on('nonsense', () => undefined));
      expect(error).toMatchObject({ name: 'KafkaJSNonRetriableError', message: text });
    },
  );

  it('logs a listener that throws or rejects, and goes on', async () => {
    const logger = { error: vi.fn() };
    const emitter = new InstrumentationEmitter('consumer', logger);
    const other = vi.fn();
    emitter.on('consumer.stop', () => {
      throw new Error('thrown');
    });
    emitter.on('consumer.stop', () => Promise.reject(new Error('rejected')));
    emitter.on('consumer.stop', other);
    emitter.emit('consumer.stop');
    await vi.waitFor(() => expect(logger.error).toHaveBeenCalledTimes(2));
    expect(logger.error.mock.calls.map(([message]) => message)).toEqual([
      'Failed to execute listener: thrown',
      'Failed to execute listener: rejected',
    ]);
    expect(other).toHaveBeenCalledTimes(1);
  });
});

function errorOf(action: () => unknown): Error {
  try {
    action();
  } catch (e) {
    return e as Error;
  }
  throw new Error('nothing was thrown');
}

function messageOf(action: () => unknown): string {
  return errorOf(action).message;
}
