import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'nestjs-kafka-native';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Broker, startBroker } from './broker/start.mjs';
import { unique } from './harness/broker';
import { pause, until } from './harness/wait';

const PASSWORD = 'broker-secret';
const OAUTH = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required';
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required';

const folder = mkdtempSync(join(tmpdir(), 'nestjs-kafka-native-tls-'));
let broker: Broker;
/** Ports of the listeners beside the plain one, in this order. */
const ports = { sasl: 0, tls: 0, saslTls: 0 };

const file = (name: string): string => join(folder, name);
const pem = (name: string): string => readFileSync(file(name), 'utf8');
const openssl = (...args: string[]): void => {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
};

const at = (name: string, port: number): string => `${name}://127.0.0.1:${port}`;

/** An authority, certificates of the broker and of a client, and the store that Kafka reads. */
function makeCertificates(): void {
  const request = (name: string, ...more: string[]): void =>
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-subj',
      `/CN=${name}`,
      ...more,
    );
  for (const name of ['ca', 'other']) request(name, '-x509', '-days', '2', '-out', `${name}.pem`);
  const signed = ['-x509', '-days', '2', '-CA', 'ca.pem', '-CAkey', 'ca.key'];
  for (const name of ['broker', 'client']) {
    request(name, ...signed, '-addext', 'subjectAltName=IP:127.0.0.1', '-out', `${name}.pem`);
  }
  const store = ['-out', 'broker.p12', '-passout', `pass:${PASSWORD}`];
  openssl('pkcs12', '-export', '-in', 'broker.pem', '-inkey', 'broker.key', '-certfile', 'ca.pem', ...store);
}

beforeAll(async () => {
  makeCertificates();
  broker = await startBroker({
    formatArguments: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=scram-user,password=scram-secret]`,
    ]),
    properties: ({ port, controllerPort }) => {
      Object.assign(ports, { sasl: port + 20, tls: port + 30, saslTls: port + 40 });
      const clients = [
        at('PLAINTEXT', port),
        at('SASL_PLAINTEXT', ports.sasl),
        at('SSL', ports.tls),
        at('SASL_SSL', ports.saslTls),
      ];
      const plain = `${PLAIN} user_alice="alice-secret";`;
      return {
        listeners: [...clients, at('CONTROLLER', controllerPort)].join(','),
        'advertised.listeners': clients.join(','),
        'inter.broker.listener.name': 'PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
        'listener.name.sasl_ssl.sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.sasl_plaintext.plain.sasl.jaas.config': plain,
        'listener.name.sasl_ssl.plain.sasl.jaas.config': plain,
        'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config': SCRAM,
        'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config': SCRAM,
        'listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config': `${OAUTH} unsecuredLoginStringClaim_sub="admin";`,
        'listener.name.sasl_plaintext.oauthbearer.connections.max.reauth.ms': 3000,
        'ssl.keystore.location': file('broker.p12'),
        'ssl.keystore.password': PASSWORD,
        'ssl.keystore.type': 'PKCS12',
        'ssl.truststore.location': file('ca.pem'),
        'ssl.truststore.type': 'PEM',
        'listener.name.ssl.ssl.client.auth': 'requested',
      };
    },
  });
});

afterAll(async () => {
  await broker?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const lines: string[] = [];

function kafkaAt(port: number, config: Partial<KafkaConfig>): Kafka {
  return new Kafka({
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.ERROR,
    logCreator:
      () =>
      ({ log }) =>
        void lines.push(log.message),
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

  test('says so when the password is wrong', async () => {
    const sasl = { mechanism: 'plain', username: 'alice', password: 'wrong' } as const;
    const error = await refusal(
      kafkaAt(ports.sasl, { sasl, connectionTimeout: 2000, authenticationTimeout: 1 }),
    );
    expect(String(error)).toContain('uthentication failed');
  });
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

  test('asks for the next token before one expires, and goes on beyond that', async () => {
    const provider = vi.fn(async () => ({ value: jwt(4) }));
    const producer = kafkaWith(provider).producer();
    await producer.connect();
    try {
      const topic = unique('renewed');
      const end = Date.now() + 6000;
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

  test('does not trust others, unless it is told not to look', async () => {
    const stranger = await refusal(kafkaAt(ports.tls, { ...quick, ssl: { ca: pem('other.pem') } }));
    expect(String(stranger)).toMatch(/certificate verify failed/i);
    expect(String(await refusal(kafkaAt(ports.tls, { ...quick, ssl: true })))).toMatch(
      /certificate verify failed/i,
    );
    await roundTrip(kafkaAt(ports.tls, { ssl: { rejectUnauthorized: false } }));
  });
});
