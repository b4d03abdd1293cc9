import { Logger, type LoggerService } from '@nestjs/common';
import { ClientProxyFactory, Transport, type Server } from '@nestjs/microservices';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ServerFactory } from '../../lib/nest/internals.js';
import { knownNestOptions } from '../../lib/nest/options/index.js';
import { ServerKafka } from '../../lib/nest/server/server-kafka.js';
import '../../lib/register.js';

const create = (options: object): Server =>
  ServerFactory.create({ transport: Transport.KAFKA, options } as never) as unknown as Server;

describe('options that nobody knows', () => {
  const options = {
    postfixId: '',
    consummer: {},
    client: {
      brokers: ['a:1'],
      clientID: 'c',
      ssl: { ca: [], minDHSize: 1, pskCallbac: 1 },
      sasl: { mechanism: 'plain', username: 'u', password: 'p', realm: 'r' },
      retry: { retries: 1, retrys: 2 },
    },
    consumer: { groupId: 'g', maxWait: 1, absent: undefined },
    run: { autocommit: true },
    subscribe: { fromBegining: true },
    producer: { idempotence: true },
    send: { ack: 1 },
    parser: { keepBinarry: true },
  };

  it('are found wherever they stand, each with what may be meant', () => {
    const { unknown } = knownNestOptions(options);
    expect(unknown.map(({ path }) => path)).toEqual([
      'options.consummer',
      'client.clientID',
      'client.ssl.minDHSize',
      'client.ssl.pskCallbac',
      'client.sasl.realm',
      'client.retry.retrys',
      'consumer.maxWait',
      'run.autocommit',
      'subscribe.fromBegining',
      'producer.idempotence',
      'send.ack',
      'options.parser.keepBinarry',
    ]);
    expect(unknown[0]?.hint).toBe('did you mean options.consumer?');
    expect(unknown[1]?.hint).toBe('did you mean client.clientId?');
  });

  it('are taken out, and nothing else is', () => {
    const { options: known } = knownNestOptions(options);
    expect(known).toEqual({
      postfixId: '',
      client: {
        brokers: ['a:1'],
        ssl: { ca: [] },
        sasl: { mechanism: 'plain', username: 'u', password: 'p' },
        retry: { retries: 1 },
      },
      consumer: { groupId: 'g' },
      run: {},
      subscribe: {},
      producer: {},
      send: {},
      parser: {},
    });
    expect(options.client.clientID).toBe('c');
    expect(knownNestOptions(known)).toEqual({ options: known, unknown: [] });
    expect(knownNestOptions(known).options).toBe(known);
  });

  it('leave what is no object to the check', () => {
    for (const value of [undefined, null, 'text', []]) {
      expect(knownNestOptions(value)).toEqual({ options: value, unknown: [] });
    }
    expect(knownNestOptions({ client: 5 })).toEqual({ options: { client: 5 }, unknown: [] });
  });
});

describe('under register', () => {
  const kafka = MockKafka.start({ topics: { greet: 1 } });
  const warnings: string[] = [];
  const logger = {
    log: () => undefined,
    error: () => undefined,
    warn: (message: string) => warnings.push(message),
  } as unknown as LoggerService;

  beforeEach(() => {
    warnings.length = 0;
    Logger.overrideLogger(logger);
  });
  afterAll(() => kafka.stop());

  const given = (): object => ({
    client: { brokers: kafka.brokers, colour: 'red' },
    producer: { idempotant: true },
  });

  it('they are told of once, when the first server or client that has them connects', async () => {
    const servers = [create(given()), create(given())];
    expect(warnings).toEqual([]);
    for (const server of servers) {
      await new Promise<void>((resolve, reject) => {
        (server as unknown as ServerKafka)
          .listen((error) => (error ? reject(error as Error) : resolve()))
          .catch(reject);
      });
      await server.close();
    }
    expect(warnings).toEqual([
      "Ignored, as by NestJS's own transport, because neither knows it: of a server, client.colour (known options are " +
        `${/known options are (.*?)\)/.exec(warnings[0] ?? '')?.[1]}); producer.idempotant (did you mean producer.idempotent?)`,
    ]);
  });

  it('those of a client are told of too', async () => {
    const client = ClientProxyFactory.create({
      transport: Transport.KAFKA,
      options: { client: { brokers: kafka.brokers }, producerOnlyMode: true, replyTimeOut: 5 } as object,
    });
    await client.connect();
    await client.close();
    expect(warnings).toEqual([
      "Ignored, as by NestJS's own transport, because neither knows it: of a client, options.replyTimeOut (did you mean options.replyTimeout?)",
    ]);
  });

  it('wrong values of known options still throw', () => {
    expect(() => create({ client: { brokers: 5 } })).toThrow('Invalid option client.brokers');
  });

  it('our classes refuse them', () => {
    expect(() => new ServerKafka(given())).toThrow('Unknown option client.colour');
  });
});
