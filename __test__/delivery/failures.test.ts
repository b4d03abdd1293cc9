import * as native from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { describe, expect, test, vi } from 'vitest';
import { BROKERS, createTopics, unique } from '../harness/broker';
import { logs } from '../harness/logs';
import { until } from '../harness/wait';
import { nextEvent, Rig } from './rig';

// What an application throws and logs may be anything. A rejection that is nobody's fails the run of these tests by itself.

const rig = new Rig('failures');

/** An error as an ORM throws it: it holds itself, and a BigInt. */
class OrmError extends Error {
  readonly id = 1n;
  readonly self = this;
}

async function redelivered(log: (entry: native.LogEntry) => void): Promise<unknown[]> {
  const topic = unique('failures');
  await createTopics({ [topic]: 1 });
  const kafka = new native.Kafka({
    brokers: BROKERS,
    logCreator: () => log,
    retry: { initialRetryTime: 20, retries: 1 },
  });
  const [producer, consumer] = [kafka.producer(), kafka.consumer({ groupId: topic })];
  const seen: unknown[] = [];
  consumer.on('consumer.crash', ({ payload }) => {
    seen.push(payload.error.message);
    throw new OrmError('from a listener');
  });
  await Promise.all([producer.connect(), consumer.connect()]);
  try {
    await producer.send({ topic, messages: [{ value: 'x' }] });
    await consumer.subscribe({ topic, fromBeginning: true });
    let calls = 0;
    await consumer.run({
      // oxlint-disable-next-line typescript/require-await
      eachMessage: async () => {
        calls += 1;
        if (calls < 4) throw new OrmError(`delivery ${calls}`);
        seen.push('handled');
      },
    });
    await until('it is handled', () => seen.includes('handled'));
    return seen;
  } finally {
    await Promise.all([producer.disconnect(), consumer.disconnect()]);
  }
}

describe('an error that JSON cannot write', () => {
  test('is logged, crashes and restarts as every other', async () => {
    const lines: string[] = [];
    const print = vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(String(line)));
    const seen = await redelivered(
      (entry) => native.logLevel.ERROR === entry.level && print(JSON.stringify(entry)),
    );
    print.mockRestore();
    expect(seen).toEqual(['delivery 2', 'handled']);
    // The log function failed; what it was given is told all the same.
    expect(lines.some((line) => line.includes('delivery 1') && line.includes('"self":"[circular]"'))).toBe(
      true,
    );
    expect(lines.some((line) => line.includes('The function of client.logCreator failed'))).toBe(true);
  });

  test('under NestJS too', async () => {
    await createTopics({ [rig.topic]: 1 });
    let calls = 0;
    await rig.serve(
      () => {
        calls += 1;
        if (calls < 3) throw new OrmError('of an ORM');
      },
      { consumer: { retry: { initialRetryTime: 20, retries: 0 } } },
    );
    await rig.write('0:x');
    await until('it is handled', () => calls === 3);
  });
});

describe('the error of a handler under NestJS', () => {
  test('is named in the log, with its stack, and in the crash', async () => {
    await createTopics({ [rig.topic]: 1 });
    let calls = 0;
    function myHandler(): void {
      calls += 1;
      if (calls === 1) throw new TypeError('my bug');
    }
    const running = await rig.serve(() => myHandler(), {
      consumer: { retry: { initialRetryTime: 20, retries: 0 } },
    });
    const crash = nextEvent(running, 'consumer.crash');
    await rig.write('0:x');
    const { error, restart } = (await crash) as {
      error: native.KafkaJSNumberOfRetriesExceeded;
      restart: boolean;
    };
    expect(error).toBeInstanceOf(native.KafkaJSNumberOfRetriesExceeded);
    expect(error).toMatchObject({
      name: 'KafkaJSNumberOfRetriesExceeded',
      message: 'my bug',
      retryCount: 0,
      retryTime: expect.any(Number),
      cause: { name: 'TypeError', message: 'my bug' },
    });
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(error.stack).toMatch(
      /^KafkaJSNumberOfRetriesExceeded\n {2}Caused by: TypeError: my bug\n {4}at myHandler/,
    );
    expect(restart).toBe(true);
    const failed = logs
      .matching('error', 'Error when calling eachMessage')
      .filter((text) => text.includes(rig.topic));
    expect(failed).toHaveLength(1);
    expect(failed[0]).toContain('TypeError: my bug\\n    at myHandler');
    const crashed = logs.matching('error', 'Crash:').filter((text) => text.includes(rig.topic));
    expect(crashed).toHaveLength(1);
    expect(crashed[0]).toContain('Crash: KafkaJSNumberOfRetriesExceeded: TypeError: my bug ');
    await until('it is handled', () => calls === 2);
  });
});

describe('clients that their group refuses', () => {
  test('each connect() rejects, and nothing else does', { timeout: 120_000 }, async () => {
    const mock = MockKafka.start({ topics: { 'refused.reply': 2 } });
    try {
      mock.failNext('JoinGroup', 'GROUP_AUTHORIZATION_FAILED', 1000);
      const client = { brokers: mock.brokers, retry: { retries: 0 } };
      const clients = Array.from({ length: 16 }, (_, i) => {
        const one = new native.ClientKafka({
          client,
          consumer: { groupId: `refused-${i}`, ...MockKafka.consumerOptions },
        });
        one.subscribeToResponseOf('refused');
        return one;
      });
      const types = await Promise.all(
        clients.map((one) =>
          one.connect().then(
            () => 'connected',
            (error: { type?: string }) => error.type,
          ),
        ),
      );
      expect(types).toEqual(clients.map(() => 'GROUP_AUTHORIZATION_FAILED'));
      await Promise.all(clients.map((one) => one.close()));
    } finally {
      await mock.stop();
    }
  });
});
