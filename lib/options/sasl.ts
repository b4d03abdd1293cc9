import { KafkaJSInvalidOptionError } from '../kafkajs/errors/index.js';
import { invalidValue } from './checks.js';
import { type Check } from './table.js';
import type { Given } from './given.js';
import type { Properties } from './table.js';

const AWS_INSTEAD =
  'the mechanism AWS sends the keys themselves, to brokers with a plugin that takes them; Amazon MSK never did. For MSK: ' +
  'sasl: mskIam({ region, credentials: { accessKeyId, secretAccessKey, sessionToken } }) of nestjs-kafka-native/msk-iam, with the package aws-msk-iam-sasl-signer-js';

const CUSTOM_INSTEAD =
  'use plain, scram-sha-256, scram-sha-512 or oauthbearer; a mechanism that yields a token can be written as an oauthBearerProvider';

const PASSWORD_OPTIONS = ['mechanism', 'username', 'password'];
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  PLAIN: PASSWORD_OPTIONS,
  'SCRAM-SHA-256': PASSWORD_OPTIONS,
  'SCRAM-SHA-512': PASSWORD_OPTIONS,
  OAUTHBEARER: ['mechanism', 'oauthBearerProvider'],
};

/** `sasl`: kafkajs's mechanisms, except AWS and custom ones. Its errors never show a value. */
export const saslCheck: Check = {
  text: 'an object with a mechanism: plain, scram-sha-256, scram-sha-512 or oauthbearer',
  parse: (value, path) => {
    if (typeof value !== 'object' || Array.isArray(value)) return undefined;
    const sasl = value as Record<string, unknown>;
    const mechanism = String(sasl['mechanism']).toUpperCase();
    if (typeof sasl['mechanism'] !== 'string') {
      throw invalidValue(`${path}.mechanism`, 'a string', sasl['mechanism']);
    }
    const options = OPTIONS[mechanism];
    if (typeof sasl['authenticationProvider'] === 'function' && !options?.every((name) => name in sasl)) {
      throw unsupported(`${path}.authenticationProvider`, 'custom mechanisms of kafkajs', CUSTOM_INSTEAD);
    }
    if (mechanism === 'AWS') throw unsupported(path, 'mechanism aws', AWS_INSTEAD);
    if (options === undefined) throw unsupported(path, 'this mechanism', CUSTOM_INSTEAD);
    for (const [name, item] of Object.entries(sasl)) {
      // kafkajs adds this to the credentials object of its own mechanisms, which an application may pass to both
      // libraries.
      if (item === undefined || item === null || name === 'authenticationProvider') continue;
      if (!options.includes(name)) {
        const option = `${path}.${name}`;
        const message = `Unknown option ${option}: ${sasl['mechanism']} takes ${options.join(', ')}`;
        throw new KafkaJSInvalidOptionError(message, { option });
      }
    }
    for (const name of options) {
      const kind = name === 'oauthBearerProvider' ? 'function' : 'string';
      if (typeof sasl[name] !== kind) throw invalidValue(`${path}.${name}`, `a ${kind}`, sasl[name]);
    }
    return { ...sasl, mechanism };
  },
};

/**
 * The options of the mechanism that `sasl` names, with the ones allowed beside them; undefined for an unknown
 * mechanism.
 */
export function saslOptions(sasl: unknown): readonly string[] | undefined {
  const mechanism = (sasl as { mechanism?: unknown } | null | undefined)?.mechanism;
  const options = typeof mechanism === 'string' ? OPTIONS[mechanism.toUpperCase()] : undefined;
  return options && [...options, 'authenticationProvider'];
}

function unsupported(option: string, what: string, instead: string): KafkaJSInvalidOptionError {
  const message = `Option ${option} is not supported: librdkafka cannot do ${what}; ${instead}`;
  return new KafkaJSInvalidOptionError(message, { option });
}

/** Properties of the credentials. Bearer tokens are fetched by this package. */
export function saslProperties(sasl: Given | undefined): Properties {
  if (sasl === undefined) return {};
  const properties: Properties = { 'sasl.mechanisms': String(sasl['mechanism']) };
  if (sasl['username'] !== undefined) properties['sasl.username'] = String(sasl['username']);
  if (sasl['password'] !== undefined) properties['sasl.password'] = String(sasl['password']);
  return properties;
}
