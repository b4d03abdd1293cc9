import { createServer, type AddressInfo, type Server } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker, type Broker } from '../broker/start.mjs';
import { checkListeners } from '../../lib/command/doctor/listeners.js';
import { Diagnoses } from '../../lib/command/doctor/finding.js';
import { Certificates, STORE_PASSWORD } from '../harness/certificates';
import { plainUsers, WITH_RULES } from '../harness/secured-broker';
import { makeTopics } from '../harness/topics.mjs';
import { until } from '../harness/wait';
import { ROOT } from '../package-consumers/install';
import { diagnose, idsOf } from './run';

// A broker whose listeners are broken, each in its own way.

const SERVICE = join(ROOT, '__test__/command/applications/service.mjs');
const certificates = new Certificates();
const ports = { sasl: 0, away: 0, nameless: 0, expired: 0, soon: 0, named: 0 };
let broker: Broker;

const at = (name: string, where: number | string): string =>
  `${name}://${typeof where === 'number' ? `127.0.0.1:${where}` : where}`;

beforeAll(async () => {
  certificates.authority('ca');
  certificates.signed('expired', { days: -1 });
  certificates.signed('soon', { days: 5 });
  certificates.signed('named', { days: 60, address: 'DNS:localhost' });
  broker = await startBroker({
    properties: ({ port, controllerPort }) => {
      for (const [index, name] of Object.keys(ports).entries())
        ports[name as keyof typeof ports] = port + 20 + 10 * index;
      const listeners = [
        at('PLAINTEXT', port),
        at('SASL', ports.sasl),
        at('AWAY', ports.away),
        at('NAMELESS', ports.nameless),
        at('EXPIRED', ports.expired),
        at('SOON', ports.soon),
        at('NAMED', ports.named),
      ];
      const advertised = [
        ...listeners.slice(0, 2),
        at('AWAY', '127.0.0.1:9'),
        at('NAMELESS', `kafka.invalid:${ports.nameless}`),
        ...listeners.slice(4),
      ];
      const stores = ['expired', 'soon', 'named'].map((name) => [
        `listener.name.${name}.ssl.keystore.location`,
        certificates.file(`${name}.p12`),
      ]);
      return {
        listeners: [...listeners, at('CONTROLLER', controllerPort)].join(','),
        'advertised.listeners': advertised.join(','),
        'inter.broker.listener.name': 'PLAINTEXT',
        'listener.security.protocol.map':
          'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,AWAY:PLAINTEXT,NAMELESS:PLAINTEXT,EXPIRED:SSL,SOON:SSL,NAMED:SSL',
        ...Object.fromEntries(stores),
        'ssl.keystore.password': STORE_PASSWORD,
        'ssl.keystore.type': 'PKCS12',
        'group.coordinator.rebalance.protocols': 'classic',
        'sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.sasl.plain.sasl.jaas.config': plainUsers({ limited: 'limited-secret' }),
        ...WITH_RULES,
      };
    },
  });
});

afterAll(async () => {
  await broker?.dispose();
  certificates.dispose();
});

const look = (port: number, more: object = {}): ReturnType<typeof diagnose> => {
  const file = certificates.file('client.json');
  writeFileSync(file, JSON.stringify({ brokers: [`127.0.0.1:${port}`], connectionTimeout: 3000, ...more }));
  return diagnose(['--client', file]);
};

test('a listener in order', async () => {
  expect((await look(broker.port)).findings).toEqual([]);
});

test('an advertised listener that cannot be reached', async () => {
  const { findings, code, notes } = await look(ports.away);
  expect(notes).toEqual(['Topics, groups and rights were not looked at: that takes all brokers']);
  expect(findings[0]).toMatchObject({
    id: 'listener-unreachable',
    severity: 'error',
    what: expect.stringMatching(/^127\.0\.0\.1:9, which broker \d advertises, cannot be reached: /),
    fix: expect.stringContaining(
      'advertised.listeners=…://<a name that this machine resolves and reaches>:9',
    ),
  });
  expect(code).toBe(1);
});

test('an advertised listener whose name does not resolve', async () => {
  expect((await look(ports.nameless)).findings[0]).toMatchObject({
    id: 'listener-unresolved',
    what: expect.stringMatching(
      /^kafka\.invalid:\d+, which broker \d advertises, has a name that does not resolve here$/,
    ),
  });
});

test('a certificate that has expired, one that soon does, and one of an authority that nobody knows', async () => {
  const ca = certificates.text('ca.pem');
  const expired = await look(ports.expired, { ssl: { ca } });
  expect(idsOf(expired)).toEqual(['connection', 'certificate-expired']);
  expect(expired.findings[1]?.what).toMatch(
    /^The certificate of 127\.0\.0\.1:\d+ \(expired\) has expired on /,
  );
  const soon = await look(ports.soon, { ssl: { ca } });
  expect(soon.findings).toEqual([
    expect.objectContaining({ id: 'certificate-expires', severity: 'warning' }),
  ]);
  expect(soon.code).toBe(0);
  const unknown = await look(ports.soon, { ssl: true });
  expect(idsOf(unknown)).toEqual(['connection', 'certificate', 'certificate-expires']);
  expect(unknown.findings[0]?.fix).toContain('client.ssl');
  expect(unknown.findings[1]).toMatchObject({
    what: expect.stringMatching(/^The certificate of 127\.0\.0\.1:\d+ \(soon\) is not accepted: /),
    fix: "client.ssl: { ca: readFileSync('ca.pem', 'utf8') } with the authority's certificate",
  });
  // With that it is the look before: what is left is that it soon expires.
});

test('a certificate of another host', async () => {
  const ssl = { ca: certificates.text('ca.pem') };
  const { findings } = await look(ports.named, { ssl });
  expect(findings.map(({ id }) => id)).toEqual(['connection', 'certificate']);
  expect(findings[0]?.fix).toBe(
    'client.ssl: let the brokers advertise a name of their certificate, or give client.ssl.checkServerIdentity: () => undefined',
  );
  expect(findings[1]).toMatchObject({
    what: expect.stringMatching(/\(named\) is not accepted: ERR_TLS_CERT_ALTNAME_INVALID$/),
    why: 'It is a certificate for DNS:localhost, and not for 127.0.0.1',
    fix: expect.stringContaining('client.ssl: { checkServerIdentity: () => undefined }'),
  });
  // No JSON says that: an application does. Its topics are not there, which is no finding.
  const env = {
    KAFKA_BROKERS: `127.0.0.1:${ports.named}`,
    PREFIX: 'named',
    OPTIONS: JSON.stringify({ client: { ssl } }),
  };
  expect(idsOf(await diagnose([SERVICE, '--online'], { env }))).toEqual(['connection', 'certificate']);
  expect((await diagnose([SERVICE, '--online'], { env: { ...env, ANY_HOST: '1' } })).findings).toEqual([]);
});

test('TLS where the listener has none', async () => {
  const { findings } = await look(broker.port, { ssl: true });
  expect(findings).toEqual([
    expect.objectContaining({
      id: 'connection',
      fix: 'client.ssl: the listener speaks no TLS: leave out client.ssl',
    }),
    expect.objectContaining({
      id: 'tls',
      what: expect.stringMatching(/^127\.0\.0\.1:\d+ does not speak TLS as asked: /),
      fix: "client.brokers: ['host:port'] of a TLS listener, or client.ssl: false for this one",
    }),
  ]);
  expect((await look(broker.port)).findings).toEqual([]);
  expect((await look(broker.port, { ssl: false })).findings).toEqual([]);
  const ofTls = await look(ports.soon, { ssl: { ca: certificates.text('ca.pem') } });
  expect(idsOf(ofTls)).toEqual(['certificate-expires']);
});

test('TLS that is missing', async () => {
  const { findings } = await look(ports.soon);
  expect(findings[0]).toMatchObject({
    id: 'connection',
    fix: 'client.ssl: the listener speaks TLS: set client.ssl, or connect to one without',
  });
});

test('SASL that is missing or wrong', { timeout: 300_000 }, async () => {
  const none = await look(ports.sasl);
  expect(none.findings).toEqual([
    expect.objectContaining({
      id: 'connection',
      fix: 'client.sasl: the listener wants SASL: give client.sasl, or connect to one without',
    }),
  ]);
  const wrong = await look(ports.sasl, {
    sasl: { mechanism: 'plain', username: 'limited', password: 'wrong' },
  });
  expect(wrong.findings).toEqual([
    expect.objectContaining({
      id: 'connection',
      fix: expect.stringMatching(/^client\.sasl: \{ mechanism: 'plain', username, password \} as /),
    }),
  ]);
  expect(wrong.out).not.toContain('wrong"');
  const other = await look(ports.sasl, {
    sasl: { mechanism: 'scram-sha-256', username: 'limited', password: 'limited-secret' },
  });
  expect(other.findings).toEqual([
    expect.objectContaining({
      id: 'connection',
      why: expect.stringContaining('supported mechanisms: PLAIN'),
      fix: "set client.sasl: { mechanism: 'plain', username, password }",
    }),
  ]);
  const right = { mechanism: 'plain', username: 'limited', password: 'limited-secret' };
  expect((await look(ports.sasl, { sasl: right })).findings).toEqual([]);
});

test('nobody at home', async () => {
  const { findings } = await look(1);
  expect(findings.map(({ id }) => id)).toEqual(['connection', 'listener-unreachable']);
  for (const { fix } of findings)
    expect(fix).toContain("client.brokers: ['host:port'] of a listener that this machine reaches");
  expect((await look(broker.port)).findings).toEqual([]);
});

const allow = (resourceType: AclResourceTypes, resourceName: string, operation: AclOperationTypes) => ({
  resourceType,
  resourceName,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal: 'User:limited',
  host: '*',
  operation,
  permissionType: AclPermissionTypes.ALLOW,
});

test('rights that are missing: the proposed rules mend it', async () => {
  const prefix = 'secured';
  const admin = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const names = ['orders', 'price', 'price.reply', 'stock', 'stock.reply'].map((name) => `${prefix}.${name}`);
  await makeTopics(
    admin,
    names.map((topic) => ({ topic, numPartitions: 1 })),
  );
  await admin.createAcls({
    acl: names.map((name) => allow(AclResourceTypes.TOPIC, name, AclOperationTypes.DESCRIBE)),
  });
  const options = {
    client: { sasl: { mechanism: 'plain', username: 'limited', password: 'limited-secret' } },
  };
  const env = {
    KAFKA_BROKERS: `127.0.0.1:${ports.sasl}`,
    PREFIX: prefix,
    OPTIONS: JSON.stringify({ ...options, ofServer: { consumer: { groupId: prefix } } }),
  };
  const examined = () => diagnose([SERVICE, '--online'], { env });
  const { findings, code } = await until('the rules hold', async () => {
    const diagnosis = await examined();
    return diagnosis.findings.every(({ id }) => id === 'access') ? diagnosis : undefined;
  });
  expect(code).toBe(1);
  expect(findings.map(({ what }) => what).toSorted()).toEqual(
    [
      `The right to Read on group ${prefix}-client is missing`,
      `The right to Read on group ${prefix}-server is missing`,
      `The right to Read on topic ${prefix}.orders is missing`,
      `The right to Read on topic ${prefix}.price is missing`,
      `The right to Read on topic ${prefix}.stock.reply is missing`,
      `The right to Write on topic ${prefix}.price.reply is missing`,
      `The right to Write on topic ${prefix}.stock is missing`,
    ].toSorted(),
  );
  const acl = findings.map(({ fix }) => {
    const [, operation, kind, name] = /--operation (\w+) --(\w+) (\S+)$/.exec(fix) as unknown as [
      string,
      string,
      string,
      string,
    ];
    const type = kind === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP;
    return allow(type, name, operation === 'Read' ? AclOperationTypes.READ : AclOperationTypes.WRITE);
  });
  await admin.createAcls({ acl });
  await admin.disconnect();
  await until('nothing is found any more', async () => (await examined()).findings.length === 0);
});

const withProtocol = (groupProtocol: string): ReturnType<typeof diagnose> =>
  diagnose([SERVICE, '--online'], {
    env: {
      KAFKA_BROKERS: broker.brokers,
      PREFIX: 'protocols',
      OPTIONS: JSON.stringify({ ofServer: { consumer: { groupId: 'protocols', groupProtocol } } }),
    },
  });

test('a group protocol that is switched off', async () => {
  const { findings, code } = await withProtocol('consumer');
  expect(findings).toEqual([
    expect.objectContaining({
      id: 'group-protocol',
      what: expect.stringContaining('group.coordinator.rebalance.protocols is classic'),
      fix: "consumer.groupProtocol: 'classic', or group.coordinator.rebalance.protocols=classic,consumer in server.properties",
    }),
  ]);
  expect(code).toBe(1);
  expect((await withProtocol('classic')).findings).toEqual([]);
});

test('the lines that were proposed for server.properties mend it', async () => {
  const file = join(broker.dataDir, 'server.properties');
  const lines = readFileSync(file, 'utf8')
    .replace(at('AWAY', '127.0.0.1:9'), at('AWAY', ports.away))
    .replace(at('NAMELESS', `kafka.invalid:${ports.nameless}`), at('NAMELESS', ports.nameless))
    .replace(/^(advertised\.listeners=.*)NAMED:\/\/127\.0\.0\.1/m, '$1NAMED://localhost')
    .replace(/^(group\.coordinator\.rebalance\.protocols)=.*$/m, '$1=classic,consumer');
  writeFileSync(file, lines);
  // New certificates, under the names of the old ones.
  for (const name of ['expired', 'soon']) certificates.signed(name, { days: 60 });
  await broker.restart();
  const ssl = { ca: certificates.text('ca.pem') };
  for (const [port, options] of [
    [ports.away, {}],
    [ports.nameless, {}],
    [ports.expired, { ssl }],
    [ports.soon, { ssl }],
  ] as const) {
    expect((await look(port, options)).findings).toEqual([]);
  }
  expect((await look(ports.named, { ssl, brokers: [`localhost:${ports.named}`] })).findings).toEqual([]);
  expect((await withProtocol('consumer')).findings).toEqual([]);
});

describe('old brokers', () => {
  const servers: Server[] = [];
  afterAll(() => servers.forEach((server) => server.close()));

  /** A listener that answers which requests it knows. */
  async function listener(versions: Record<number, number>): Promise<number> {
    const server = createServer((socket) => {
      socket.on('data', () => {
        const entries = Object.entries(versions);
        const answer = Buffer.alloc(14 + entries.length * 6);
        answer.writeInt32BE(answer.length - 4, 0);
        answer.writeInt32BE(7, 4);
        answer.writeInt32BE(entries.length, 10);
        for (const [index, [key, newest]] of entries.entries()) {
          answer.writeInt16BE(Number(key), 14 + index * 6);
          answer.writeInt16BE(newest, 14 + index * 6 + 4);
        }
        // In two pieces, as a network may.
        socket.write(answer.subarray(0, 9));
        setImmediate(() => socket.write(answer.subarray(9)));
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  async function found(versions: Record<number, number>, usesConsumerProtocol: boolean): Promise<string[]> {
    const diagnoses = new Diagnoses();
    const listeners = [{ host: '127.0.0.1', port: await listener(versions), name: 'broker 1' }];
    await checkListeners({ brokers: [] }, listeners, 'advertised', diagnoses, usesConsumerProtocol);
    return idsOf(diagnoses.diagnosis());
  }

  test.each<[string, Record<number, number>, boolean, string[]]>([
    ['0.10', { 1: 3 }, false, ['broker-version']],
    ['3.6', { 1: 15, 22: 4 }, false, []],
    ['3.6, where the newer group protocol is asked for', { 1: 15, 22: 4 }, true, ['group-protocol']],
    ['4.0', { 1: 17, 22: 5, 68: 1 }, true, []],
  ])('Kafka %s', async (_, versions, usesConsumerProtocol, ids) => {
    expect(await found(versions, usesConsumerProtocol)).toEqual(ids);
  });
});
