import * as tls from 'node:tls';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { adminProperties, clientProperties, consumerProperties } from '../../lib/options/index.js';
import { Brokers } from '../../lib/kafkajs/cluster/brokers.js';
import { createLogger } from '../../lib/kafkajs/logger.js';
import { logLevel, type KafkaConfig } from '../../lib/kafkajs/types/index.js';
import { errorOf } from './options-harness.js';

const brokers = ['a:9092', 'b:9092'];
const properties = (config: Partial<KafkaConfig> = {}) => clientProperties({ brokers, ...config }).properties;
const settings = (config: Partial<KafkaConfig> = {}) => clientProperties({ brokers, ...config }).settings;
const failure = (config: object) => errorOf(() => clientProperties({ brokers, ...config }));

const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const KEY = '-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n';

afterEach(() => vi.unstubAllEnvs());

describe('brokers', () => {
  it('become bootstrap.servers', () => {
    expect(properties()['bootstrap.servers']).toBe('a:9092,b:9092');
    expect(settings().brokers).toEqual(brokers);
  });

  it('are left to the layer when a function answers them', () => {
    const ask = vi.fn(() => brokers);
    const { properties: set, settings: kept } = clientProperties({ brokers: ask });
    expect(set).not.toHaveProperty('bootstrap.servers');
    expect(kept.brokers).toBe(ask);
  });

  it.each([
    [undefined, 'Failed to connect: brokers should not be null'],
    [[], 'Failed to connect: brokers array is empty'],
    [['a:1', ''], 'Failed to connect: broker at index 1 is invalid "string"'],
    [[undefined], 'Failed to connect: broker at index 0 is invalid "undefined"'],
  ])('are checked in kafkajs’s words: %j', (value, message) => {
    expect(failure({ brokers: value })).toMatchObject({ name: 'KafkaJSNonRetriableError', message });
  });

  it.each([
    ['kafka://a:9092', 'is a URL: give host:port without "kafka://"'],
    ['SASL_SSL://user:SECRET@a:9092', 'is a URL: give host:port without "SASL_SSL://"'],
    ['https://user:SECRET@a:9092', 'is a URL: give host:port without "https://"'],
    ['user:SECRET@a:9092', 'has an "@": give host:port, and credentials as client.sasl'],
    ['a:SECRET', 'has no port from 1 to 65535'],
    ['a:99999', 'has no port from 1 to 65535'],
    ['a:9092/SECRET', 'has no port'],
    ['a:1,kafka://SECRET', 'is a URL'],
  ])('are host:port, and another one is named but not shown: %s', async (broker, text) => {
    const message = `Invalid option client.brokers: broker at index 1 ${text}`;
    const error = failure({ brokers: ['a:1', broker] });
    expect(error).toMatchObject({ name: 'KafkaJSInvalidOptionError', option: 'client.brokers' });
    expect(error.message).toContain(message);
    expect(inspect(error)).not.toContain('SECRET');
    const answered = new Brokers({ brokers: () => ['a:1', broker] }, createLogger());
    await expect(answered.resolve()).rejects.toThrow(message);
  });

  it('may have an address of IPv6, no port, or a list in one text', () => {
    const list = ['[::1]:9092', '::1', 'a', ' a:1', 'a:1, b:2', 'a_b.c-d:65535'];
    expect(properties({ brokers: list })['bootstrap.servers']).toBe(list.join(','));
  });

  it('are asked of a function, whose error is told as kafkajs tells it', async () => {
    const cause = new Error('no such service');
    const ask = new Brokers({ brokers: () => Promise.reject(cause) }, createLogger());
    const error = await ask.resolve().catch((e: unknown) => e as Error);
    expect(error).toMatchObject({
      name: 'KafkaJSConnectionError',
      message: 'Failed to connect: "config.brokers" threw: no such service',
      retriable: true,
      cause,
    });
    expect((error as Error).stack).toBe(`KafkaJSConnectionError\n  Caused by: ${cause.stack}`);
  });

  it('are no string', () => {
    expect(failure({ brokers: 'a:9092' }).message).toContain('client.brokers: expected an array');
  });
});

describe('times', () => {
  it('give connect() ten seconds, and one connection four', () => {
    expect(settings().connectTimeoutMs).toBe(10_000);
    expect(properties()['socket.connection.setup.timeout.ms']).toBe('4000');
  });

  const sasl = { mechanism: 'plain', username: 'u', password: 'p' } as const;
  it.each([
    [{ connectionTimeout: 3000 }, 3000],
    [{ connectionTimeout: 3000, authenticationTimeout: 2000 }, 3000],
    [{ connectionTimeout: 3000, authenticationTimeout: 2000, sasl }, 5000],
    [{ connectionTimeout: 3000, sasl }, 13_000],
    [{ authenticationTimeout: 20_000, sasl }, 21_000],
  ])('take connectionTimeout, and authenticationTimeout with sasl: %j', (config, expected) => {
    expect(settings(config).connectTimeoutMs).toBe(expected);
    expect(properties(config)['socket.connection.setup.timeout.ms']).toBe(String(expected));
  });

  it('stay within librdkafka’s ranges', () => {
    expect(properties({ connectionTimeout: 10 })['socket.connection.setup.timeout.ms']).toBe('1000');
    expect(properties({ requestTimeout: 1_000_000 })['socket.timeout.ms']).toBe('300000');
    expect(properties({ requestTimeout: 5000, enforceRequestTimeout: false })['socket.timeout.ms']).toBe(
      '300000',
    );
    expect(properties()['socket.timeout.ms']).toBe('30000');
  });

  it('may come as text, from the environment', () => {
    expect(properties({ requestTimeout: '5000' as never })['socket.timeout.ms']).toBe('5000');
    expect(failure({ requestTimeout: 'soon' }).message).toBe(
      'Invalid option client.requestTimeout: expected a number of milliseconds, 0 or more, got a string',
    );
  });

  it('make the back-off of requests and reconnections', () => {
    expect(properties()).toMatchObject({ 'reconnect.backoff.ms': '100', 'reconnect.backoff.max.ms': '2000' });
    expect(properties({ retry: { initialRetryTime: 500, maxRetryTime: 60_000 } })).toMatchObject({
      'retry.backoff.ms': '500',
      'retry.backoff.max.ms': '60000',
      'reconnect.backoff.ms': '500',
      'reconnect.backoff.max.ms': '10000',
    });
    expect(properties({ retry: { initialRetryTime: 0, maxRetryTime: 0 } })).toMatchObject({
      'retry.backoff.ms': '1',
      'retry.backoff.max.ms': '1',
      'reconnect.backoff.ms': '0',
      'reconnect.backoff.max.ms': '0',
    });
  });
});

describe('the log level', () => {
  it.each([
    [logLevel.NOTHING, '6'],
    [logLevel.ERROR, '6'],
    [logLevel.WARN, '6'],
    [logLevel.INFO, '6'],
    [logLevel.DEBUG, '7'],
  ])('%i is librdkafka’s %s', (level, expected) => {
    expect(properties({ logLevel: level })['log_level']).toBe(expected);
  });

  it('is the environment’s before all', () => {
    vi.stubEnv('KAFKAJS_LOG_LEVEL', 'ERROR');
    expect(properties({ logLevel: logLevel.DEBUG })['log_level']).toBe('6');
    expect(properties({ logLevel: logLevel.DEBUG })['debug']).toBeUndefined();
    expect(settings({ logLevel: logLevel.DEBUG }).logLevel).toBe(logLevel.ERROR);
  });

  it('is one of kafkajs’s numbers', () => {
    expect(failure({ logLevel: 3 }).message).toContain(
      'one of 0 (NOTHING), 1 (ERROR), 2 (WARN), 4 (INFO), 5 (DEBUG), got a number',
    );
  });

  it('DEBUG can be given other contexts', () => {
    const config = { logLevel: logLevel.DEBUG, librdkafka: { debug: 'all' } };
    expect(properties(config)['debug']).toBe('all');
  });
});

describe('ssl', () => {
  it('is off unless asked for', () => {
    expect(properties()['security.protocol']).toBe('plaintext');
    expect(properties({ ssl: false })['security.protocol']).toBe('plaintext');
    expect(properties()).not.toHaveProperty('ssl.ca.pem');
  });

  it('trusts what Node.js trusts', () => {
    const set = properties({ ssl: true });
    expect(set['security.protocol']).toBe('ssl');
    expect(set['ssl.ca.pem']?.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(50);
    expect(properties({ ssl: {} })['security.protocol']).toBe('ssl');
  });

  it('trusts whom it is told to trust', () => {
    expect(properties({ ssl: { ca: CERTIFICATE } })['ssl.ca.pem']).toBe(CERTIFICATE);
    expect(properties({ ssl: { ca: [Buffer.from(CERTIFICATE), CERTIFICATE] } })['ssl.ca.pem']).toBe(
      CERTIFICATE + CERTIFICATE,
    );
    const file = properties({ ssl: true, librdkafka: { 'ssl.ca.location': '/ca.pem' } });
    expect(file).not.toHaveProperty('ssl.ca.pem');
    const raw = properties({ librdkafka: { 'security.protocol': 'SSL' } });
    expect(raw).toHaveProperty(['ssl.ca.pem']);
  });

  it('takes the passphrase that is given with the key', () => {
    const ssl = { key: [{ pem: KEY, passphrase: 'own' }], passphrase: 'other' };
    expect(properties({ ssl })).toMatchObject({ 'ssl.key.password': 'own' });
    expect(properties({ ssl: { key: { pem: KEY, passphrase: 'own' } as never } })).toMatchObject({
      'ssl.key.password': 'own',
    });
  });

  it('takes certificate, key and passphrase', () => {
    const ssl = {
      cert: CERTIFICATE,
      key: [{ pem: KEY }],
      passphrase: 'secret',
      ciphers: 'A',
      sigalgs: 'B',
      ecdhCurve: 'C',
    };
    expect(properties({ ssl })).toMatchObject({
      'ssl.certificate.pem': CERTIFICATE,
      'ssl.key.pem': KEY,
      'ssl.key.password': 'secret',
      'ssl.cipher.suites': 'A',
      'ssl.sigalgs.list': 'B',
      'ssl.curves.list': 'C',
    });
  });

  it('can leave the certificate or the host name unverified', () => {
    const VERIFY = 'enable.ssl.certificate.verification';
    const HOST = 'ssl.endpoint.identification.algorithm';
    expect(properties({ ssl: true })).not.toHaveProperty([VERIFY]);
    expect(properties({ ssl: { rejectUnauthorized: false } })[VERIFY]).toBe('false');
    expect(properties({ ssl: { checkServerIdentity: () => undefined } })[HOST]).toBe('none');
    expect(properties({ ssl: { checkServerIdentity: tls.checkServerIdentity } })).not.toHaveProperty([HOST]);
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    expect(properties({ ssl: true })[VERIFY]).toBe('false');
    expect(properties({ ssl: { rejectUnauthorized: true } })[VERIFY]).toBe('true');
  });

  it.each([
    ['servername', { servername: 'x' }],
    ['pfx', { pfx: Buffer.alloc(1) }],
    ['secureContext', { secureContext: {} }],
    ['checkServerIdentity', { checkServerIdentity: (host: string) => new Error(host) }],
    [
      'checkServerIdentity',
      { checkServerIdentity: (_: string, c: tls.PeerCertificate) => tls.checkServerIdentity('a', c) },
    ],
    ['cert', { cert: [CERTIFICATE, CERTIFICATE] }],
    ['minVersion', { minVersion: 'TLSv1.3' }],
    ['key', { key: 'not PEM' }],
    ['secureOptions', { secureOptions: 1 }],
  ])('refuses %s', (name, ssl) => {
    expect(failure({ ssl })).toMatchObject({
      name: 'KafkaJSInvalidOptionError',
      option: `client.ssl.${name}`,
    });
  });
});

describe('sasl', () => {
  it.each([
    ['plain', 'PLAIN'],
    ['SCRAM-SHA-256', 'SCRAM-SHA-256'],
    ['scram-sha-512', 'SCRAM-SHA-512'],
  ])('takes %s', (mechanism, expected) => {
    const sasl = { mechanism, username: 'user', password: 'pass' } as never;
    expect(properties({ sasl })).toMatchObject({
      'security.protocol': 'sasl_plaintext',
      'sasl.mechanisms': expected,
      'sasl.username': 'user',
      'sasl.password': 'pass',
    });
    expect(properties({ sasl, ssl: true })['security.protocol']).toBe('sasl_ssl');
  });

  it('takes credentials that kafkajs has been given before', () => {
    // As kafkajs leaves them.
    const sasl = { mechanism: 'plain', username: 'user', password: 'pass', authenticationProvider: vi.fn() };
    expect(properties({ sasl } as never)).toMatchObject({ 'sasl.username': 'user' });
  });

  it('leaves the bearer token to the layer, which asks the application’s object for it', () => {
    class Tokens {
      readonly mechanism = 'oauthbearer';
      readonly #secret = 'secret';
      async oauthBearerProvider(): Promise<{ value: string }> {
        return { value: this.#secret };
      }
    }
    const { properties: translated, settings: own } = clientProperties({ brokers, sasl: new Tokens() });
    expect(translated['sasl.mechanisms']).toBe('OAUTHBEARER');
    return expect(own.oauthBearerProvider?.()).resolves.toEqual({ value: 'secret' });
  });

  it('may be an object of a class', () => {
    class Account {
      readonly mechanism = 'plain';
      get username(): string {
        return 'user';
      }
      get password(): string {
        return 'pass';
      }
    }
    expect(properties({ sasl: new Account() })).toMatchObject({
      'sasl.username': 'user',
      'sasl.password': 'pass',
    });
  });

  describe('of AWS', () => {
    const aws = {
      mechanism: 'aws',
      authorizationIdentity: 'id',
      accessKeyId: 'key',
      secretAccessKey: 'secret',
    } as const;
    it.each([
      [{}, ''],
      [{ sessionToken: undefined }, ''],
      [{ sessionToken: null as never }, ''],
      [{ sessionToken: '' }, ''],
      [{ sessionToken: 'token' }, 'token'],
      // As kafkajs leaves them.
      [{ sessionToken: '', authenticationProvider: vi.fn() }, ''],
      [{ authenticationProvider: vi.fn() }, ''],
    ])('takes the keys, and the token of a session: %j', (more, token) => {
      expect(properties({ sasl: { ...aws, ...more } })).toMatchObject({
        'security.protocol': 'sasl_plaintext',
        'sasl.mechanisms': 'AWS',
        'sasl.username': 'id',
        // As scripts/librdkafka/sasl-aws.c takes them.
        'sasl.password': `key\u001Fsecret\u001F${token}`,
      });
    });

    it.each([
      ['authorizationIdentity', undefined, 'a string, got undefined'],
      ['accessKeyId', undefined, 'a string, got undefined'],
      ['secretAccessKey', null, 'a string, got null'],
      ['authorizationIdentity', 7, 'a string, got a number'],
      ['secretAccessKey', {}, 'a string, got an object'],
      ['sessionToken', 7, 'a string, got a number'],
      ['authorizationIdentity', '', 'a string that is not empty, got another string'],
      ['accessKeyId', '', 'a string that is not empty, got another string'],
      ['secretAccessKey', '', 'a string that is not empty, got another string'],
      [
        'authorizationIdentity',
        'a\0b',
        'a string without the characters U+0000 and U+001F, got another string',
      ],
      ['accessKeyId', 'a\u001Fb', 'a string without the characters U+0000 and U+001F, got another string'],
      ['secretAccessKey', 'a\0', 'a string without the characters U+0000 and U+001F, got another string'],
      ['sessionToken', '\u001F', 'a string without the characters U+0000 and U+001F, got another string'],
    ])('names what it cannot take: %s %j', (name, value, text) => {
      expect(failure({ sasl: { ...aws, [name]: value } })).toMatchObject({
        name: 'KafkaJSInvalidOptionError',
        option: `client.sasl.${name}`,
        message: `Invalid option client.sasl.${name}: expected ${text}`,
      });
    });

    it('names options of other mechanisms', () => {
      expect(failure({ sasl: { ...aws, username: 'u' } }).message).toBe(
        'Unknown option client.sasl.username: aws takes mechanism, authorizationIdentity, accessKeyId, secretAccessKey, sessionToken',
      );
      expect(
        failure({ sasl: { mechanism: 'plain', username: 'u', password: 'p', accessKeyId: 'k' } }),
      ).toMatchObject({ option: 'client.sasl.accessKeyId' });
    });

    it('is no custom mechanism of that name', () => {
      const custom = { mechanism: 'aws', authenticationProvider: () => ({}) };
      expect(failure({ sasl: custom })).toMatchObject({ option: 'client.sasl.authenticationProvider' });
    });

    it.each(['sasl.mechanisms', 'sasl.mechanism'])('is not chosen by the raw property %s', (name) => {
      const raw = { [name]: 'AWS', 'sasl.username': 'id', 'sasl.password': 'key' };
      expect(failure({ librdkafka: raw })).toMatchObject({
        option: `client.librdkafka["${name}"]`,
        message: `Option client.librdkafka["${name}"] cannot be AWS: use client.sasl: { mechanism: 'aws', authorizationIdentity, accessKeyId, secretAccessKey, sessionToken }; librdkafka has no properties for them`,
      });
      expect(properties({ sasl: aws, librdkafka: { [name]: 'AWS' } })['sasl.mechanisms']).toBe('AWS');
      expect(failure({ sasl: aws, librdkafka: { [name]: 'PLAIN' } }).message).toContain(
        'contradicts client.sasl',
      );
      expect(failure({ sasl: aws, librdkafka: { 'sasl.password': 'p' } }).message).toContain(
        'contradicts client.sasl',
      );
    });
  });

  it('refuses custom mechanisms with a way out', () => {
    const custom = { mechanism: 'mine', authenticationProvider: () => ({}) };
    expect(failure({ sasl: custom }).message).toContain('oauthBearerProvider');
    expect(failure({ sasl: { ...custom, mechanism: 'plain' } }).message).toContain('oauthBearerProvider');
    expect(failure({ sasl: { mechanism: 'gssapi' } }).message).toContain('scram-sha-512');
  });

  it('never shows a secret', () => {
    const secret = 'hunter2';
    const failures = [
      failure({ sasl: { mechanism: 'plain', username: 1, password: secret } }),
      failure({ sasl: { mechanism: 'plain', user: secret, password: secret } }),
      failure({ sasl: { mechanism: secret, password: secret } }),
      failure({
        sasl: {
          mechanism: 'aws',
          authorizationIdentity: secret,
          accessKeyId: `\0${secret}`,
          secretAccessKey: secret,
        },
      }),
      failure({ sasl: secret }),
      failure({ ssl: { key: secret, passphrase: secret } }),
      failure({
        sasl: { mechanism: 'plain', username: 'u', password: 'p' },
        librdkafka: { 'sasl.password': secret },
      }),
      failure({ requestTimeout: secret }),
      failure({ sasl: { mechanism: 'plain', username: 'u', password: 5_318_008 } }),
      failure({ requestTimeout: -5_318_008 }),
      failure({ logLevel: 5_318_008 }),
      failure({ brokers: [`user:${secret}@host`] }),
    ];
    for (const error of failures) {
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/hunter2|5318008/);
    }
  });
});

describe('unknown and refused options', () => {
  it('are named, with the option that was meant', () => {
    expect(failure({ clientID: 'x' })).toMatchObject({
      name: 'KafkaJSInvalidOptionError',
      option: 'client.clientID',
      retriable: false,
      message: 'Unknown option client.clientID: did you mean client.clientId?',
    });
    expect(failure({ requestTimoeut: 1 }).message).toContain('did you mean client.requestTimeout?');
    expect(failure({ requestTimout: 1 }).message).toContain('did you mean client.requestTimeout?');
    expect(failure({ nonsense: 1 }).message).toContain('known options are brokers, clientId');
    expect(failure({ 'socket.timeout.ms': 1 }).message).toContain('go into client.librdkafka');
    expect(failure({ retry: { retires: 1 } }).message).toContain('client.retry.retires');
    expect(failure({ socketFactory: () => undefined }).message).toContain('librdkafka opens its own sockets');
  });

  it('do not count when they are undefined', () => {
    expect(() => properties({ socketFactory: undefined, nonsense: undefined } as never)).not.toThrow();
  });
});

describe('raw properties', () => {
  it('go over everything, as text, under librdkafka’s main name', () => {
    const set = properties({ librdkafka: { 'max.in.flight': 7, 'socket.keepalive.enable': true } });
    expect(set).toMatchObject({
      'max.in.flight.requests.per.connection': '7',
      'socket.keepalive.enable': 'true',
    });
  });

  it('go into every handle, the nearer ones over the others', () => {
    const kafka = { brokers, librdkafka: { 'client.rack': 'outer', 'statistics.interval.ms': 1000 } };
    const consumer = { groupId: 'g', librdkafka: { 'client.rack': 'inner' } };
    expect(consumerProperties(kafka, consumer).properties).toMatchObject({
      'client.rack': 'inner',
      'statistics.interval.ms': '1000',
    });
  });

  it('cannot contradict a given option', () => {
    const librdkafka = { 'socket.timeout.ms': 1000 };
    expect(properties({ librdkafka })['socket.timeout.ms']).toBe('1000');
    expect(properties({ requestTimeout: 1000, librdkafka })['socket.timeout.ms']).toBe('1000');
    const error = failure({ requestTimeout: 2000, librdkafka });
    expect(error.message).toBe(
      'Option client.librdkafka["socket.timeout.ms"] contradicts client.requestTimeout: give only one of them',
    );
  });

  it('may differ from what only follows from a given option', () => {
    const config = { retry: { retries: 3 }, librdkafka: { 'reconnect.backoff.ms': 7 } };
    expect(properties(config)['reconnect.backoff.ms']).toBe('7');
    expect(
      properties({ ssl: true, librdkafka: { 'enable.ssl.certificate.verification': false } }),
    ).toMatchObject({
      'enable.ssl.certificate.verification': 'false',
    });
  });

  it.each([
    'bootstrap.servers',
    'metadata.broker.list',
    'client.id',
    'group.id',
    'enable.auto.commit',
    'enable.auto.offset.store',
    'enable.partition.eof',
    'plugin.library.paths',
    'partition.assignment.strategy',
    'auto.offset.reset',
    'dr_msg_cb',
    'ssl_key',
  ])('cannot take %s from the core', (name) => {
    const error = failure({ librdkafka: { [name]: 'x' } });
    expect(error.message).toMatch(`Option client.librdkafka["${name}"] cannot be set: `);
  });

  it('are strings, numbers and booleans', () => {
    expect(failure({ librdkafka: { 'client.rack': {} } }).message).toContain('client.librdkafka');
    expect(failure({ librdkafka: ['x'] }).message).toContain('got an array');
  });
});

describe('an admin client', () => {
  it('does not create the topics it asks about', () => {
    const { properties: set, settings: kept } = adminProperties(
      { brokers, retry: { retries: 1 } },
      { retry: { retries: 2 } },
    );
    expect(set['allow.auto.create.topics']).toBe('false');
    expect(kept.retry.retries).toBe(2);
    expect(errorOf(() => adminProperties({ brokers }, { nonsense: 1 } as never)).message).toContain(
      'admin.nonsense',
    );
  });
});
