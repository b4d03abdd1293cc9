import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import { KafkaJSInvalidOptionError } from '../kafkajs/errors/index.js';
import { anything, boolean, callback, string } from './checks.js';
import { type Check } from './table.js';
import { layer, refused, type OptionTable, type Properties } from './table.js';
import { readOptions } from './read.js';
import { type Given } from './given.js';

const text = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : undefined;
};

/** PEM text of one or several items. */
function pem(maxItems: number): Check {
  return {
    text: `PEM as a string or Buffer${maxItems > 1 ? ', or an array of them' : ''}`,
    parse: (value, path) => {
      const items = (Array.isArray(value) ? value : [value]).map((item) =>
        typeof item === 'object' && item !== null && 'pem' in item ? text(item.pem) : text(item),
      );
      if (items.length > maxItems) {
        const message = `Option ${path} has ${items.length} items: librdkafka takes one; put a certificate and its chain into one PEM`;
        throw new KafkaJSInvalidOptionError(message, { option: path });
      }
      if (items.length === 0 || items.some((item) => item === undefined)) return undefined;
      if (items.some((item) => !item?.includes('-----BEGIN'))) return undefined;
      return items.map((item) => item?.trim()).join('\n') + '\n';
    },
  };
}

const PEM_INSTEAD = 'give cert and key in PEM, or the file as librdkafka["ssl.keystore.location"]';
const NOT_PASSED_ON = 'librdkafka makes its own TLS context';

/** `client.ssl`, when it is an object: the options of Node.js's `tls.connect` that librdkafka supports. */
export const sslTable: OptionTable = {
  path: 'client.ssl',
  rows: [
    {
      name: 'ca',
      check: pem(Infinity),
      handling: layer,
      doc: 'Certificates to trust, instead of Node.js’s own (`ssl.ca.pem`).',
    },
    {
      name: 'cert',
      check: pem(1),
      handling: layer,
      doc: 'The client’s certificate and its chain (`ssl.certificate.pem`).',
    },
    { name: 'key', check: pem(1), handling: layer, doc: 'The client’s private key (`ssl.key.pem`).' },
    {
      name: 'passphrase',
      check: string,
      handling: layer,
      doc: 'The private key’s password (`ssl.key.password`).',
    },
    {
      name: 'rejectUnauthorized',
      check: boolean,
      default: true,
      handling: layer,
      doc: 'Whether the broker’s certificate is verified (`enable.ssl.certificate.verification`).',
    },
    {
      name: 'checkServerIdentity',
      check: callback,
      handling: layer,
      doc: 'A function that accepts every host turns off the check of host names (`ssl.endpoint.identification.algorithm`); any other is refused.',
    },
    { name: 'ciphers', check: string, handling: layer, doc: 'Cipher suites (`ssl.cipher.suites`).' },
    { name: 'sigalgs', check: string, handling: layer, doc: 'Signature algorithms (`ssl.sigalgs.list`).' },
    { name: 'ecdhCurve', check: string, handling: layer, doc: 'Curves (`ssl.curves.list`).' },
    {
      name: 'minVersion',
      check: oneOf('TLSv1', 'TLSv1.1', 'TLSv1.2'),
      handling: { by: 'nothing', because: 'TLS 1.2 and 1.3 are spoken in any case' },
      doc: 'Up to TLS 1.2: the core speaks TLS 1.2 and 1.3 only.',
    },
    {
      name: 'maxVersion',
      check: oneOf('TLSv1.3'),
      handling: { by: 'nothing', because: 'TLS 1.2 and 1.3 are spoken in any case' },
      doc: 'TLS 1.3 only: the core speaks TLS 1.2 and 1.3.',
    },
    {
      name: 'requestCert',
      check: boolean,
      handling: { by: 'nothing', because: 'it is an option of servers' },
      doc: 'An option of TLS servers, without meaning for a client.',
    },
    {
      name: 'pfx',
      check: anything,
      handling: refused('librdkafka reads PKCS #12 from a file only', PEM_INSTEAD),
      doc: 'A PKCS #12 bundle.',
    },
    {
      name: 'servername',
      check: anything,
      handling: refused('librdkafka sends the broker’s host name', 'let the brokers advertise that name'),
      doc: 'The name for the server name indication.',
    },
    {
      name: 'crl',
      check: anything,
      handling: refused(
        'librdkafka reads revocation lists from a file',
        'use librdkafka["ssl.crl.location"]',
      ),
      doc: 'Certificate revocation lists.',
    },
    {
      name: 'secureContext',
      check: anything,
      handling: refused(NOT_PASSED_ON, 'give ca, cert and key'),
      doc: 'A TLS context of Node.js.',
    },
    {
      name: 'ALPNProtocols',
      check: anything,
      handling: refused('Kafka does not negotiate protocols', 'leave it out'),
      doc: 'Protocols to negotiate.',
    },
  ],
};

function oneOf(...values: string[]): Check {
  return {
    text: `one of ${values.join(', ')}`,
    parse: (value) => (values.includes(value as string) ? value : undefined),
  };
}

/** `ssl`: true, false or an object. */
export const sslCheck: Check = {
  table: sslTable,
  text: 'true, false or an object of TLS options',
  parse: (value, path) => {
    if (typeof value === 'boolean') return value;
    if (typeof value !== 'object') return undefined;
    const given = readOptions(sslTable, value, path);
    const passphrase = passphraseOf((value as { key?: unknown }).key);
    return passphrase === undefined ? given : { ...given, passphrase };
  },
};

/** The password that Node.js takes beside a key, `{ pem, passphrase }`: it precedes the one for all keys. */
function passphraseOf(key: unknown): string | undefined {
  const [item] = Array.isArray(key) ? key : [key];
  const { passphrase } = (item ?? {}) as { passphrase?: unknown };
  return typeof passphrase === 'string' ? passphrase : undefined;
}

/** Properties of the TLS options; the trusted roots are added last, by {@link withRootCertificates}. */
export function sslProperties(ssl: Given | boolean | undefined): Properties {
  const given: Given = typeof ssl === 'object' ? ssl : {};
  const properties: Properties = {};
  const set = (property: string, value: unknown): void => {
    if (value !== undefined) properties[property] = String(value);
  };
  if (!ssl) return properties;
  set('ssl.ca.pem', given['ca']);
  set('ssl.certificate.pem', given['cert']);
  set('ssl.key.pem', given['key']);
  set('ssl.key.password', given['passphrase']);
  set('ssl.cipher.suites', given['ciphers']);
  set('ssl.sigalgs.list', given['sigalgs']);
  set('ssl.curves.list', given['ecdhCurve']);
  set('enable.ssl.certificate.verification', given['rejectUnauthorized'] ?? environmentVerifies());
  const identity = given['checkServerIdentity'] as typeof tls.checkServerIdentity | undefined;
  if (identity !== undefined && acceptsEveryHost(identity)) {
    set('ssl.endpoint.identification.algorithm', 'none');
  }
  return properties;
}

/** The environment variable `NODE_TLS_REJECT_UNAUTHORIZED`, which kafkajs's connections obey too. */
function environmentVerifies(): false | undefined {
  return process.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0' ? false : undefined;
}

/**
 * Whether the function accepts a certificate of another host. A function that neither accepts all nor is Node.js's
 * own check is refused.
 */
function acceptsEveryHost(identity: typeof tls.checkServerIdentity): boolean {
  if (identity === tls.checkServerIdentity) return false;
  const certificate = {
    subject: { CN: 'certificate.invalid' },
    issuer: { CN: 'certificate.invalid' },
    subjectaltname: 'DNS:certificate.invalid',
    raw: Buffer.alloc(0),
    pubkey: Buffer.alloc(0),
    fingerprint: '',
    fingerprint256: '',
    fingerprint512: '',
  } as unknown as tls.PeerCertificate;
  try {
    if (identity('host.invalid', certificate) === undefined) return true;
  } catch {
    // It reads the certificate, so it is a custom check.
  }
  throw new KafkaJSInvalidOptionError(
    'Option client.ssl.checkServerIdentity is not supported: librdkafka cannot call it; leave it out for the usual check of the host name, or give () => undefined for none',
    { option: 'client.ssl.checkServerIdentity' },
  );
}

const TRUST_PROPERTIES = ['ssl.ca.pem', 'ssl.ca.location', 'ssl.ca.certificate.stores'];

/**
 * Trusts the certificates that Node.js trusts, unless the options name others: the core's OpenSSL has no system
 * certificates.
 */
export function withRootCertificates(properties: Properties): Properties {
  const protocol = (properties['security.protocol'] ?? '').toLowerCase();
  if (!protocol.includes('ssl') || TRUST_PROPERTIES.some((property) => property in properties))
    return properties;
  return { ...properties, 'ssl.ca.pem': rootCertificates().join('\n') + '\n' };
}

function rootCertificates(): readonly string[] {
  // From Node.js 22.15 and 23.10 on; it honours `--use-system-ca`, `NODE_EXTRA_CA_CERTS` and the like.
  const { getCACertificates } = tls as { getCACertificates?: () => string[] };
  if (getCACertificates !== undefined) return getCACertificates();
  const extra = process.env['NODE_EXTRA_CA_CERTS'];
  if (!extra) return tls.rootCertificates;
  try {
    return [...tls.rootCertificates, readFileSync(extra, 'utf8')];
  } catch {
    return tls.rootCertificates; // Node.js itself has already warned about the file.
  }
}
