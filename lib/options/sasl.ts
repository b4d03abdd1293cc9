import { KafkaJSInvalidOptionError } from '../kafkajs/errors/index.js';
import { invalidValue } from './checks.js';
import { type Check } from './table.js';
import { isGiven, type Given } from './given.js';
import type { Properties } from './table.js';

const CUSTOM_INSTEAD =
  'use plain, scram-sha-256, scram-sha-512, oauthbearer or aws; a mechanism that yields a token can be written as an oauthBearerProvider';

const PASSWORD_OPTIONS = ['mechanism', 'username', 'password'];
const AWS_KEYS = ['accessKeyId', 'secretAccessKey', 'sessionToken'];
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  PLAIN: PASSWORD_OPTIONS,
  'SCRAM-SHA-256': PASSWORD_OPTIONS,
  'SCRAM-SHA-512': PASSWORD_OPTIONS,
  OAUTHBEARER: ['mechanism', 'oauthBearerProvider'],
  AWS: ['mechanism', 'authorizationIdentity', ...AWS_KEYS],
};
/** May be missing. */
const OPTIONAL = 'sessionToken';

/** Stands between the keys of AWS in `sasl.password`, in the place of NUL (scripts/librdkafka/sasl-aws.c). */
const AWS_SEPARATOR = '\u001F';
/** What no part of AWS may contain: NUL is between them when they are sent. */
const IN_NO_AWS_PART = ['\0', AWS_SEPARATOR];

/** `sasl`: kafkajs's mechanisms, except custom ones. Its errors never show a value. */
export const saslCheck: Check = {
  text: 'an object with a mechanism: plain, scram-sha-256, scram-sha-512, oauthbearer or aws',
  parse: (value, path) => {
    if (typeof value !== 'object' || Array.isArray(value)) return undefined;
    const sasl = value as Record<string, unknown>;
    const mechanism = String(sasl['mechanism']).toUpperCase();
    if (typeof sasl['mechanism'] !== 'string') {
      throw invalidValue(`${path}.mechanism`, 'a string', sasl['mechanism']);
    }
    const options = OPTIONS[mechanism];
    const isWhole = options?.every((name) => name in sasl || name === OPTIONAL);
    if (typeof sasl['authenticationProvider'] === 'function' && !isWhole) {
      throw unsupported(`${path}.authenticationProvider`, 'custom mechanisms of kafkajs', CUSTOM_INSTEAD);
    }
    if (options === undefined) throw unsupported(path, 'this mechanism', CUSTOM_INSTEAD);
    for (const [name, item] of Object.entries(sasl)) {
      // kafkajs adds this to the credentials object of its own mechanisms, which an application may pass to both
      // libraries.
      if (!isGiven(item) || name === 'authenticationProvider') continue;
      if (!options.includes(name)) {
        const option = `${path}.${name}`;
        const message = `Unknown option ${option}: ${sasl['mechanism']} takes ${options.join(', ')}`;
        throw new KafkaJSInvalidOptionError(message, { option });
      }
    }
    for (const name of options) {
      if (name === OPTIONAL && !isGiven(sasl[name])) continue;
      const kind = name === 'oauthBearerProvider' ? 'function' : 'string';
      if (typeof sasl[name] !== kind) throw invalidValue(`${path}.${name}`, `a ${kind}`, sasl[name]);
      if (mechanism === 'AWS') checkAwsPart(`${path}.${name}`, String(sasl[name]), name === OPTIONAL);
    }
    // By their names: those of a class may be its prototype's.
    const given = Object.fromEntries(options.map((name) => [name, bound(sasl[name], sasl)]));
    return { ...given, mechanism };
  },
};

/** A provider is called as a method of the application's object, as kafkajs calls it. */
const bound = (value: unknown, sasl: object): unknown =>
  typeof value === 'function' ? (value as () => unknown).bind(sasl) : value;

/** kafkajs refuses parts that are empty as well. */
function checkAwsPart(path: string, part: string, mayBeEmpty: boolean): void {
  if (part === '' && !mayBeEmpty) throw invalidValue(path, 'a string that is not empty', part);
  if (IN_NO_AWS_PART.some((character) => part.includes(character))) {
    throw invalidValue(path, 'a string without the characters U+0000 and U+001F', part);
  }
}

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
  if (sasl['mechanism'] === 'AWS') {
    const keys = AWS_KEYS.map((name) => sasl[name] ?? '').join(AWS_SEPARATOR);
    return { ...properties, 'sasl.username': String(sasl['authorizationIdentity']), 'sasl.password': keys };
  }
  if (sasl['username'] !== undefined) properties['sasl.username'] = String(sasl['username']);
  if (sasl['password'] !== undefined) properties['sasl.password'] = String(sasl['password']);
  return properties;
}
