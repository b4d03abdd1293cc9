import { writeFileSync } from 'node:fs';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import * as kafkajs from 'kafkajs';
import * as native from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { diagnose } from './command/run';
import { listen } from './harness/apps';
import { unique } from './harness/broker';
import { AwsBroker, KEYS, SESSION_TOKEN, withoutCompiler } from './harness/sasl-aws/broker';
import { makeTopics } from './harness/topics.mjs';
import { until } from './harness/wait';

// kafkajs's mechanism AWS, with a broker that has it. Kafka loads mechanisms as Java's security providers: this one is compiled here.

const WRONG = 'what-is-wrong';
/** How long the keys of a connection are good at the listener `short`. */
const SESSION = 2000;

type Sasl = Extract<kafkajs.SASLOptions, { mechanism: 'aws' }>;
const aws = (more: Partial<Sasl> = {}): Sasl => ({ mechanism: 'aws', ...KEYS, ...more });
const sentFor = (sessionToken: string): string => [...Object.values(KEYS), sessionToken].join('\0');

let broker: AwsBroker;
/** All that was logged, entries as a log creator gets them. */
const lines: string[] = [];
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()));
});

const libraries = {
  kafkajs: (config: kafkajs.KafkaConfig): kafkajs.Kafka => new kafkajs.Kafka(config),
  'this package': (config: kafkajs.KafkaConfig): kafkajs.Kafka =>
    new native.Kafka(config as native.KafkaConfig) as unknown as kafkajs.Kafka,
};

function clientOptions(port: number, sasl: Sasl, log = lines): kafkajs.KafkaConfig {
  return {
    brokers: [`127.0.0.1:${port}`],
    sasl,
    // kafkajs gives a connection one second, which a busy machine may take for TLS.
    connectionTimeout: 30_000,
    authenticationTimeout: 30_000,
    retry: { retries: 2, initialRetryTime: 50 },
    // All there is: no line may show a secret.
    logLevel: kafkajs.logLevel.DEBUG,
    logCreator: () => (entry) => void log.push(JSON.stringify(entry)),
  };
}

/** A topic is made, a message sent and read back. */
async function roundTrip(kafka: kafkajs.Kafka): Promise<void> {
  const topic = unique('aws');
  const admin = kafka.admin();
  const producer = kafka.producer();
  const consumer = kafka.consumer({ groupId: unique('aws'), maxWaitTimeInMs: 100 });
  const seen: string[] = [];
  try {
    await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
    await makeTopics(admin, [{ topic, numPartitions: 1 }]);
    await producer.send({ topic, messages: [{ value: 'hello' }] });
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        seen.push(String(message.value));
      },
    });
    await until('the message is read', () => seen.length > 0);
    expect(seen).toEqual(['hello']);
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
  }
}

/** What the broker was sent meanwhile, each once. Clients that it has refused before may still knock. */
async function sentBy(act: () => Promise<void>): Promise<string[]> {
  const before = broker.tokens.length;
  await act();
  return [...new Set(broker.tokens.slice(before))].filter((token) => !token.includes(WRONG));
}

/** What the doctor finds with these keys. */
function look(sasl: Sasl): ReturnType<typeof diagnose> {
  const file = broker.file('client.json');
  writeFileSync(file, JSON.stringify({ brokers: [`127.0.0.1:${broker.ports.sasl}`], sasl }));
  return diagnose(['--client', file]);
}

/** All that an application, or its log, could show of an error. */
function shown(error: unknown): string {
  const { message, stack, cause, ...rest } = error as Error;
  return [message, stack, JSON.stringify(rest), cause === undefined ? '' : shown(cause)].join('\n');
}

describe.skipIf(withoutCompiler !== '')(`the mechanism AWS of kafkajs${withoutCompiler}`, () => {
  beforeAll(async () => {
    broker = await AwsBroker.start(SESSION);
  });

  afterAll(async () => {
    await broker?.dispose();
  });

  describe.each(Object.entries(libraries))('%s', (_, library) => {
    test.each([
      ['keys alone', {}, ''],
      ['keys of a session', { sessionToken: SESSION_TOKEN }, SESSION_TOKEN],
    ])('sends the four parts to be let in: %s', async (_name, more, token) => {
      const sent = await sentBy(() => roundTrip(library(clientOptions(broker.ports.sasl, aws(more)))));
      expect(sent).toEqual([sentFor(token)]);
    });

    test('sends them over TLS', async () => {
      const options = clientOptions(broker.ports.tls, aws());
      const sent = await sentBy(() => roundTrip(library({ ...options, ssl: { ca: broker.authority } })));
      expect(sent).toEqual([sentFor('')]);
    });

    test.each([
      { secretAccessKey: WRONG },
      { sessionToken: WRONG },
      { accessKeyId: WRONG },
      { authorizationIdentity: WRONG },
    ])('is told that the broker does not know %j', async (more) => {
      const kafka = library(clientOptions(broker.ports.sasl, aws(more)));
      for (const client of [kafka.producer(), kafka.consumer({ groupId: unique('aws') }), kafka.admin()]) {
        open.push(() => client.disconnect());
        const error = await client.connect().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toMatchObject({
          name: 'KafkaJSSASLAuthenticationError',
          retriable: false,
          message: expect.stringContaining('Authentication failed: the keys are not known'),
        });
        expect(shown(error)).not.toContain(WRONG);
      }
    });
  });

  // kafkajs adds to the object that it is given.
  test('takes the object that kafkajs was given', async () => {
    const sasl = aws();
    for (const library of Object.values(libraries)) {
      const sent = await sentBy(() => roundTrip(library(clientOptions(broker.ports.sasl, sasl))));
      expect(sent).toEqual([sentFor('')]);
    }
    expect(sasl).toHaveProperty('authenticationProvider');
  });

  test('says what to do where keys are refused', async () => {
    const options = clientOptions(broker.ports.sasl, aws({ secretAccessKey: WRONG }));
    const producer = libraries['this package'](options).producer();
    await expect(producer.connect()).rejects.toThrow(
      /let us in: .*the keys are not known.*; give the credentials that this listener knows as client\.sasl$/,
    );
  });

  test('is offered where a listener has no other', async () => {
    const sasl = { mechanism: 'plain', username: 'alice', password: 'alice-secret' } as unknown as Sasl;
    const producer = libraries['this package'](clientOptions(broker.ports.sasl, sasl)).producer();
    await expect(producer.connect()).rejects.toThrow(
      /supported mechanisms: AWS .*; set client\.sasl: \{ mechanism: 'aws', authorizationIdentity, accessKeyId, secretAccessKey, sessionToken \}$/,
    );
  });

  test('servers and clients of NestJS use it', async () => {
    const topic = unique('aws');
    @Controller()
    class Greetings {
      @MessagePattern(topic)
      greet(@Payload() name: string): string {
        return `hello ${name}`;
      }
    }
    const sasl = aws({ sessionToken: SESSION_TOKEN });
    const options = clientOptions(broker.ports.sasl, sasl) as native.KafkaConfig;
    const sent = await sentBy(async () => {
      const server = new native.ServerKafka({
        client: options,
        consumer: { groupId: topic, maxWaitTimeInMs: 100 },
        subscribe: { fromBeginning: true },
      });
      const { close } = await listen(server as never, [Greetings]);
      open.push(close);
      const client = new native.ClientKafka({ client: options, consumer: { groupId: topic } });
      client.subscribeToResponseOf(topic);
      await client.connect();
      open.push(() => client.close());
      expect(await lastValueFrom(client.send(topic, 'world'))).toBe('hello world');
    });
    expect(sent).toEqual([sentFor(SESSION_TOKEN)]);
  });

  test('connections are authenticated anew while messages flow, and none is lost', async () => {
    const log: string[] = [];
    const sasl = aws({ sessionToken: SESSION_TOKEN });
    const kafka = libraries['this package'](clientOptions(broker.ports.short, sasl, log));
    const topic = unique('aws');
    const admin = kafka.admin();
    const producer = kafka.producer();
    const consumer = kafka.consumer({ groupId: unique('aws'), maxWaitTimeInMs: 100 });
    const read: number[] = [];
    const anew = (name: string): number =>
      log.filter((line) => line.includes(`"namespace":"${name}"`) && line.includes('Received REAUTH op'))
        .length;
    const sent = await sentBy(async () => {
      for (const client of [admin, producer, consumer]) open.push(() => client.disconnect());
      await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
      await makeTopics(admin, [{ topic, numPartitions: 1 }]);
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => {
          read.push(Number(message.value));
        },
      });
      // The broker ends a connection that is used beyond its session.
      const end = Date.now() + 4 * SESSION;
      let count = 0;
      while (Date.now() < end || ['Admin', 'Producer', 'Consumer'].some((name) => anew(name) < 3)) {
        const messages = Array.from({ length: 50 }, () => ({ value: String(count++) }));
        await producer.send({ topic, messages });
        await admin.fetchTopicOffsets(topic);
      }
      await until('all is read', () => read.length >= count);
      expect(read).toEqual(Array.from({ length: count }, (_, index) => index));
    });
    expect(sent).toEqual([sentFor(SESSION_TOKEN)]);
    expect(log.filter((line) => /Disconnected|authentication error/.test(line))).toEqual([]);
    lines.push(...log);
  });

  test('the doctor connects with it, and names the keys where they are refused', async () => {
    expect((await look(aws())).findings).toEqual([]);
    const wrong = await look(aws({ secretAccessKey: WRONG }));
    expect(wrong.findings).toMatchObject([
      {
        id: 'connection',
        why: expect.stringContaining('the keys are not known'),
        fix: expect.stringMatching(
          /^client\.sasl: \{ mechanism: 'aws', authorizationIdentity, accessKeyId, secretAccessKey, sessionToken \} as /,
        ),
      },
    ]);
    expect(wrong.out + wrong.err).not.toContain(WRONG);
  });

  test('nothing of the keys is in the log, and nothing warns of them', async () => {
    const library = libraries['this package'];
    await roundTrip(library(clientOptions(broker.ports.sasl, aws({ sessionToken: SESSION_TOKEN }))));
    const refused = library(clientOptions(broker.ports.sasl, aws({ secretAccessKey: WRONG }))).admin();
    await expect(refused.connect()).rejects.toThrow('the keys are not known');
    expect(lines.filter((line) => line.includes('Sending SASL AWS authentication token'))).not.toEqual([]);
    expect(lines.filter((line) => line.includes('the keys are not known'))).not.toEqual([]);
    const secrets = [WRONG, ...Object.values(KEYS), SESSION_TOKEN.slice(0, 40)];
    for (const secret of secrets) expect(lines.filter((line) => line.includes(secret))).toEqual([]);
    expect(lines.filter((line) => line.includes('CONFWARN'))).toEqual([]);
  });
});
