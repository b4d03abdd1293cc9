import { execFile } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as kafkajs from 'kafkajs';
import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'nestjs-kafka-native';
import { mskIam, type MskIamSigner } from 'nestjs-kafka-native/msk-iam';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Broker, startBroker } from './broker/start.mjs';
import { unique } from './harness/broker';
import { Certificates, STORE_PASSWORD } from './harness/certificates';
import { plainUsers } from './harness/secured-broker';
import { pause, until } from './harness/wait';

/** What must never be shown. */
const KEY_PASSWORD = 'passphrase-of-the-key';
const WRONG_PASSWORD = 'a-password-that-is-wrong';
const OAUTH = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required';
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';

const certificates = new Certificates();
let broker: Broker;
/** Ports of the listeners beside the plain one, in this order. */
const ports = { sasl: 0, tls: 0, saslTls: 0, expired: 0, elsewhere: 0, mutual: 0 };

const file = (name: string): string => certificates.file(name);
const pem = (name: string): string => certificates.text(name);

const at = (name: string, port: number): string => `${name}://127.0.0.1:${port}`;

function makeCertificates(): void {
  // The other one nobody trusts.
  for (const name of ['ca', 'other']) certificates.authority(name);
  for (const name of ['broker', 'client']) certificates.signed(name);
  certificates.signed('expired', { days: -1 });
  certificates.signed('elsewhere', { address: 'IP:127.0.0.9' });
  certificates.signed('protected', { passphrase: KEY_PASSWORD });
}

beforeAll(async () => {
  makeCertificates();
  broker = await startBroker({
    formatArguments: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=scram-user,password=scram-secret]`,
    ]),
    properties: ({ port, controllerPort }) => {
      for (const [index, name] of Object.keys(ports).entries()) {
        ports[name as keyof typeof ports] = port + 20 + 10 * index;
      }
      const clients = [
        at('PLAINTEXT', port),
        at('SASL_PLAINTEXT', ports.sasl),
        at('SSL', ports.tls),
        at('SASL_SSL', ports.saslTls),
        at('EXPIRED', ports.expired),
        at('ELSEWHERE', ports.elsewhere),
        at('MUTUAL', ports.mutual),
      ];
      const stores = ['expired', 'elsewhere'].map((name) => [
        `listener.name.${name}.ssl.keystore.location`,
        file(`${name}.p12`),
      ]);
      const plain = plainUsers({ alice: 'alice-secret' });
      return {
        listeners: [...clients, at('CONTROLLER', controllerPort)].join(','),
        'advertised.listeners': clients.join(','),
        'inter.broker.listener.name': 'PLAINTEXT',
        'listener.security.protocol.map':
          'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,EXPIRED:SSL,ELSEWHERE:SSL,MUTUAL:SSL',
        ...Object.fromEntries(stores),
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
        'listener.name.sasl_ssl.sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.sasl_plaintext.plain.sasl.jaas.config': plain,
        'listener.name.sasl_ssl.plain.sasl.jaas.config': plain,
        'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config': SCRAM,
        'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config': SCRAM,
        'listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config': `${OAUTH} unsecuredLoginStringClaim_sub="admin";`,
        'listener.name.sasl_plaintext.oauthbearer.connections.max.reauth.ms': 3000,
        'ssl.keystore.location': file('broker.p12'),
        'ssl.keystore.password': STORE_PASSWORD,
        'ssl.keystore.type': 'PKCS12',
        'ssl.truststore.location': file('ca.pem'),
        'ssl.truststore.type': 'PEM',
        'listener.name.ssl.ssl.client.auth': 'requested',
        'listener.name.mutual.ssl.client.auth': 'required',
      };
    },
  });
});

afterAll(async () => {
  await broker?.dispose();
  certificates.dispose();
});

/** All that was logged, entries as a log creator gets them. */
const lines: string[] = [];

function kafkaAt(port: number, config: Partial<KafkaConfig>): Kafka {
  return new Kafka({
    brokers: [`127.0.0.1:${port}`],
    // All there is: no line may show a secret.
    logLevel: logLevel.DEBUG,
    logCreator: () => (entry) => void lines.push(JSON.stringify(entry)),
    ...config,
  });
}

/** Sends a message and reads it back. */
async function roundTrip(kafka: Kafka): Promise<void> {
  const topic = unique('secure');
  const producer = kafka.producer();
  const consumer = kafka.consumer({ groupId: unique('secure') });
  const seen: string[] = [];
  try {
    await Promise.all([producer.connect(), consumer.connect()]);
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
    await Promise.all([producer.disconnect(), consumer.disconnect()]);
  }
}

/** What connecting fails with. */
async function refusal(kafka: Kafka): Promise<unknown> {
  const producer = kafka.producer();
  try {
    await producer.connect();
    await producer.disconnect();
    return 'connected';
  } catch (error) {
    return error;
  }
}

/** All that an application, or its log, could show of an error. */
function shown(error: unknown): string {
  const { message, stack, cause, ...rest } = error as Error;
  return [message, stack, JSON.stringify(rest), cause === undefined ? '' : shown(cause)].join('\n');
}

describe('SASL', () => {
  test('plain', async () => {
    await roundTrip(
      kafkaAt(ports.sasl, { sasl: { mechanism: 'plain', username: 'alice', password: 'alice-secret' } }),
    );
  });

  test.each(['scram-sha-256', 'scram-sha-512'] as const)('%s', async (mechanism) => {
    const sasl = { mechanism, username: 'scram-user', password: 'scram-secret' } as SASLOptions;
    await roundTrip(kafkaAt(ports.sasl, { sasl }));
  });

  // Long before the connection's time is over: the test's own would end before.
  test.each([
    ['plain', 'alice'],
    ['scram-sha-256', 'scram-user'],
    ['scram-sha-512', 'scram-user'],
  ] as const)(
    '%s says so when the password is wrong',
    async (mechanism, username) => {
      const sasl = { mechanism, username, password: WRONG_PASSWORD } as SASLOptions;
      const error = await refusal(
        kafkaAt(ports.sasl, { sasl, connectionTimeout: 30_000, authenticationTimeout: 30_000 }),
      );
      expect(error).toMatchObject({
        name: 'KafkaJSSASLAuthenticationError',
        retriable: false,
        message: expect.stringMatching(/uthentication failed/),
      });
      expect(shown(error)).not.toContain(WRONG_PASSWORD);
    },
    20_000,
  );

  test('a client whose password is wrong tries no more once it has said so', async () => {
    let logins = 0;
    const counting = createServer((socket) => {
      logins++;
      const inner = connect(ports.sasl, '127.0.0.1');
      for (const each of [socket, inner]) each.on('error', () => undefined);
      socket.pipe(inner).pipe(socket);
    });
    await new Promise<void>((resolve) => {
      counting.listen(0, '127.0.0.1', resolve);
    });
    const sasl = { mechanism: 'plain', username: 'alice', password: WRONG_PASSWORD } as const;
    const { port } = counting.address() as AddressInfo;
    const error = await refusal(
      kafkaAt(port, { sasl, connectionTimeout: 30_000, authenticationTimeout: 30_000 }),
    );
    expect(error).toMatchObject({ name: 'KafkaJSSASLAuthenticationError' });
    await pause(2000);
    const before = logins;
    await pause(5000);
    counting.close();
    expect(logins).toBe(before);
  });

  test('consumers and admin clients say so too', async () => {
    const sasl = { mechanism: 'plain', username: 'alice', password: WRONG_PASSWORD } as const;
    const kafka = kafkaAt(ports.sasl, { sasl, connectionTimeout: 30_000, authenticationTimeout: 30_000 });
    for (const client of [kafka.consumer({ groupId: unique('secure') }), kafka.admin()]) {
      await expect(client.connect()).rejects.toMatchObject({ name: 'KafkaJSSASLAuthenticationError' });
    }
  }, 20_000);
});

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (lifetime: number): string => {
  const now = Date.now() / 1000;
  return `${part({ alg: 'none' })}.${part({ sub: 'admin', iat: now, exp: now + lifetime })}.`;
};
const kafkaWith = (oauthBearerProvider: () => Promise<{ value: string }>): Kafka =>
  kafkaAt(ports.sasl, {
    sasl: { mechanism: 'oauthbearer', oauthBearerProvider },
    connectionTimeout: 3000,
    authenticationTimeout: 1,
  });

describe('SASL oauthbearer', () => {
  test('takes a token of the provider', async () => {
    await roundTrip(kafkaWith(async () => ({ value: jwt(300) })));
  });

  test('serves admin clients', async () => {
    const provider = vi.fn(async () => ({ value: jwt(8) }));
    const admin = kafkaWith(provider).admin();
    await admin.connect();
    try {
      const topic = unique('secure');
      expect(await admin.createTopics({ topics: [{ topic }] })).toBe(true);
      const end = Date.now() + 11_000;
      while (Date.now() < end) {
        expect(await admin.listTopics()).toContain(topic);
        await pause(200);
      }
      expect(provider.mock.calls.length).toBeGreaterThanOrEqual(2);
    } finally {
      await admin.disconnect();
    }
  });

  test('asks for the next token before one expires, and goes on beyond that', async () => {
    const provider = vi.fn(async () => ({ value: jwt(8) }));
    const producer = kafkaWith(provider).producer();
    await producer.connect();
    try {
      const topic = unique('renewed');
      const end = Date.now() + 11_000;
      while (Date.now() < end) {
        await producer.send({ topic, messages: [{ value: 'v' }] });
        await pause(200);
      }
      expect(provider.mock.calls.length).toBeGreaterThanOrEqual(2);
    } finally {
      await producer.disconnect();
    }
  });

  test('tells why there is no token', async () => {
    const failing = await refusal(kafkaWith(() => Promise.reject(new Error('the issuer is down'))));
    expect(String(failing)).toContain('the issuer is down');
    const opaque = await refusal(kafkaWith(async () => ({ value: 'opaque' })));
    expect(String(opaque)).toContain('is no JWT: answer { value, lifetime }');
    expect(lines).toContainEqual(
      expect.stringContaining('No token for SASL OAUTHBEARER: the issuer is down'),
    );
  });

  test('tells that the broker refuses a token', async () => {
    const value = `${part({ alg: 'none' })}.${part({ exp: Date.now() / 1000 + 60 })}.`;
    const error = await refusal(kafkaWith(async () => ({ value })));
    expect(String(error)).toMatch(/authentication/i);
  });
});

describe('mskIam()', () => {
  test('renews its token under load, and no message fails', async () => {
    const signer = {
      generateAuthToken: vi.fn(async () => ({ token: jwt(8), expiryTime: Date.now() + 8000 })),
    };
    const sasl = mskIam({ region: 'eu-central-1', signer: signer as unknown as MskIamSigner });
    const kafka = kafkaAt(ports.sasl, { sasl });
    const topic = unique('msk');
    const producer = kafka.producer();
    const consumer = kafka.consumer({ groupId: unique('msk') });
    let read = 0;
    let sent = 0;
    try {
      await Promise.all([producer.connect(), consumer.connect()]);
      await producer.send({ topic, messages: [{ value: String(sent++) }] });
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({ eachMessage: async () => void read++ });
      // Until each has had a token after its first one; the broker ends connections whose token is three seconds old.
      while (signer.generateAuthToken.mock.calls.length < 4) {
        const messages = Array.from({ length: 500 }, () => ({ value: String(sent++) }));
        await producer.send({ topic, messages });
      }
      const messages = Array.from({ length: 500 }, () => ({ value: String(sent++) }));
      await producer.send({ topic, messages });
      await until('all is read', () => read >= sent);
      expect(read).toBe(sent);
    } finally {
      await Promise.all([producer.disconnect(), consumer.disconnect()]);
    }
  });

  test('tells why a token was not signed', async () => {
    const sasl = mskIam({
      region: 'eu-central-1',
      credentials: () => Promise.reject(new Error('no credentials here')),
    });
    const error = await refusal(
      kafkaAt(ports.sasl, { sasl, connectionTimeout: 3000, authenticationTimeout: 1 }),
    );
    expect(String(error)).toContain('no credentials here');
  });
});

describe('TLS', () => {
  const quick = { connectionTimeout: 2000 };

  test('trusts the given authority', async () => {
    await roundTrip(kafkaAt(ports.tls, { ssl: { ca: pem('ca.pem') } }));
  });

  test('shows a certificate of the client', async () => {
    await roundTrip(
      kafkaAt(ports.tls, { ssl: { ca: pem('ca.pem'), cert: pem('client.pem'), key: pem('client.key') } }),
    );
  });

  test('carries SASL', async () => {
    const sasl = { mechanism: 'plain', username: 'alice', password: 'alice-secret' } as const;
    await roundTrip(kafkaAt(ports.saslTls, { ssl: { ca: pem('ca.pem') }, sasl }));
  });

  test('tells of the mechanism that the listener has, if it is another one', async () => {
    const sasl = { mechanism: 'scram-sha-512', username: 'alice', password: 'alice-secret' } as const;
    const limits = { connectionTimeout: 30_000, authenticationTimeout: 30_000 };
    const error = await refusal(kafkaAt(ports.saslTls, { ...limits, ssl: { ca: pem('ca.pem') }, sasl }));
    expect(error).toMatchObject({
      name: 'KafkaJSSASLAuthenticationError',
      message: expect.stringMatching(
        /supported mechanisms: PLAIN.*; set client\.sasl: \{ mechanism: 'plain', username, password \}$/,
      ),
    });
  });

  test('opens a private key with its passphrase', async () => {
    const ssl = {
      ca: [Buffer.from(pem('other.pem')), pem('ca.pem')],
      cert: Buffer.from(pem('protected.pem')),
      key: Buffer.from(pem('protected.key')),
      passphrase: KEY_PASSWORD,
    };
    await roundTrip(kafkaAt(ports.mutual, { ssl }));
    const wrong = await refusal(kafkaAt(ports.mutual, { ...quick, ssl: { ...ssl, passphrase: 'not-it' } }));
    expect(wrong).toMatchObject({
      name: 'KafkaJSNonRetriableError',
      message: expect.stringMatching(/ssl\.key\.pem/),
    });
    expect(shown(wrong)).not.toContain('not-it');
  });

  test('tells that the broker wants a certificate', async () => {
    const error = await refusal(kafkaAt(ports.mutual, { ...quick, ssl: { ca: pem('ca.pem') } }));
    expect(error).toMatchObject({ cause: { name: 'KafkaJSConnectionError' } });
    expect(String(error)).toMatch(/client\.ssl\.cert/);
  });

  test.each([
    [
      'an authority that is not trusted',
      'tls',
      'other.pem',
      /self-signed certificate in certificate chain; .*client\.ssl\.ca/,
    ],
    ['an expired certificate', 'expired', 'ca.pem', /certificate has expired; renew it/],
    ['the certificate of another host', 'elsewhere', 'ca.pem', /IP address mismatch; .*checkServerIdentity/],
  ] as const)('tells of %s', async (_, listener, ca, reason) => {
    const error = await refusal(kafkaAt(ports[listener], { ...quick, ssl: { ca: pem(ca) } }));
    expect(error).toMatchObject({ cause: { name: 'KafkaJSConnectionError' } });
    expect(String(error)).toMatch(reason);
    expect(String(error)).toContain(`127.0.0.1:${ports[listener]}`);
  });

  test('tells consumers and admin clients the same', async () => {
    const kafka = kafkaAt(ports.expired, { ...quick, ssl: { ca: pem('ca.pem') } });
    for (const client of [kafka.consumer({ groupId: unique('secure') }), kafka.admin()]) {
      await expect(client.connect()).rejects.toThrow('certificate has expired');
    }
  });

  test('looks away where it is told to', async () => {
    const ca = pem('ca.pem');
    await roundTrip(kafkaAt(ports.tls, { ssl: { rejectUnauthorized: false } }));
    await roundTrip(kafkaAt(ports.expired, { ssl: { rejectUnauthorized: false } }));
    await roundTrip(kafkaAt(ports.elsewhere, { ssl: { ca, checkServerIdentity: () => undefined } }));
  });

  test('trusts Node.js’s own authorities by default', async () => {
    const script = fileURLToPath(new URL('producer/script.mjs', import.meta.url));
    const args = [script, `127.0.0.1:${ports.tls}`, unique('secure'), 'ssl'];
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: file('ca.pem') };
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000, env });
    expect(stdout).toBe('hello\n');
    const error = await refusal(kafkaAt(ports.tls, { ...quick, ssl: true }));
    expect(String(error)).toMatch(/is not accepted/);
  });
});

describe('a listener of another kind', () => {
  const sasl = { mechanism: 'plain', username: 'alice', password: 'alice-secret' } as const;
  const quick = { connectionTimeout: 3000, authenticationTimeout: 1 };
  const SASL = /closed the connection at the first request without SASL; .*give client\.sasl/;
  const TLS = /closed the connection at the first request without TLS; .*set client\.ssl/;
  const NO_TLS = /in state SSL_HANDSHAKE.*leave out client\.ssl/;
  const wrong: [string, () => number, (ca: string) => Partial<KafkaConfig>, RegExp][] = [
    ['SASL, without sasl', () => ports.sasl, () => ({}), SASL],
    ['SASL over TLS, without sasl', () => ports.saslTls, (ca) => ({ ssl: { ca } }), SASL],
    ['TLS, without ssl', () => ports.tls, () => ({}), TLS],
    ['SASL over TLS, without ssl', () => ports.saslTls, () => ({ sasl }), TLS],
    ['neither, with ssl', () => broker.port, (ca) => ({ ssl: { ca } }), NO_TLS],
    ['SASL alone, with ssl', () => ports.sasl, (ca) => ({ ssl: { ca }, sasl }), NO_TLS],
  ];

  // At a log level that lets nothing through: what is told must not hang on it.
  test.each(wrong)('is told of, and what to set: %s', async (_, port, config, reason) => {
    const kafka = kafkaAt(port(), { ...quick, logLevel: logLevel.NOTHING, ...config(pem('ca.pem')) });
    for (const client of [kafka.producer(), kafka.consumer({ groupId: unique('secure') }), kafka.admin()]) {
      await expect(client.connect()).rejects.toMatchObject({
        name: 'KafkaJSNumberOfRetriesExceeded',
        message: expect.stringMatching(reason),
        cause: { name: 'KafkaJSConnectionError' },
      });
    }
  });

  test.each([
    ['neither', () => broker.port, () => ({})],
    ['TLS alone', () => ports.tls, () => ({ ssl: { ca: pem('ca.pem') } })],
  ] as const)('is told of at once when it takes no SASL, as by kafkajs: %s', async (_, port, config) => {
    const options = { sasl, connectionTimeout: 30_000, ...config() };
    const ours = await refusal(kafkaAt(port(), options));
    const theirs = await refusal(
      new kafkajs.Kafka({
        brokers: [`127.0.0.1:${port()}`],
        logLevel: kafkajs.logLevel.NOTHING,
        ...options,
      }) as unknown as Kafka,
    );
    const protocolError = {
      name: 'KafkaJSProtocolError',
      type: 'ILLEGAL_SASL_STATE',
      code: 34,
      retriable: false,
    };
    expect(theirs).toMatchObject(protocolError);
    expect(ours).toMatchObject({
      ...protocolError,
      message: expect.stringContaining('takes no SASL: leave out client.sasl'),
    });
  });
});

test('no secret is in any line of the log', () => {
  const log = lines.join('\n');
  expect(log.length).toBeGreaterThan(1000);
  const keys = ['client', 'protected'].map((name) => pem(`${name}.key`).split('\n')[3]);
  for (const secret of [KEY_PASSWORD, WRONG_PASSWORD, 'alice-secret', 'scram-secret', ...keys]) {
    expect(log.includes(String(secret)), secret).toBe(false);
  }
});
