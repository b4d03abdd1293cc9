import { effectiveLogLevel } from '../kafkajs/logger.js';
import { KafkaJSInvalidOptionError, KafkaJSNonRetriableError } from '../kafkajs/errors/index.js';
import { resolveRetry, type ResolvedRetry } from '../kafkajs/retry/retry.js';
import { logLevel } from '../kafkajs/types/index.js';
import type {
  BrokersFunction,
  KafkaConfig,
  logCreator,
  OauthbearerProviderResponse,
} from '../kafkajs/types/index.js';
import { boolean, callback, milliseconds, numberOf, rawProperties, string } from './checks.js';
import { isGiven } from './given.js';
import { type Check } from './table.js';
import { BACKOFF_PROPERTIES, backoffProperties, explicitBackoff, retryTable } from './retry.js';
import { saslCheck, saslProperties } from './sasl.js';
import { sslCheck, sslProperties, withRootCertificates } from './ssl.js';
import { layer, refused, sets, setsAsIs, type Context, type Properties } from './table.js';
import { nested, readOptions } from './read.js';
import { optionTable } from './elsewhere.js';
import { type Given } from './given.js';
import { clamp, translate, type Translated } from './translate.js';

const DEFAULT_CONNECT_TIMEOUT = 10_000;
const DEFAULT_SETUP_TIMEOUT = 4000;
const DEFAULT_CONNECTION_TIMEOUT = 1000;
const DEFAULT_AUTHENTICATION_TIMEOUT = 10_000;
const DEFAULT_REQUEST_TIMEOUT = 30_000;
const MAX_SOCKET_TIMEOUT = 300_000;

/**
 * librdkafka's log levels (syslog's). At least INFO, even if the logger drops these lines: only the log says that a
 * broker has closed a connection, which explains a failing `connect()`.
 */
const SYSLOG_LEVELS: ReadonlyMap<number, number> = new Map([
  [logLevel.NOTHING, 6],
  [logLevel.ERROR, 6],
  [logLevel.WARN, 6],
  [logLevel.INFO, 6],
  [logLevel.DEBUG, 7],
]);

/** librdkafka's debug contexts at level DEBUG; the raw property `debug` sets others. */
const DEBUG_CONTEXTS = 'generic,broker,security';

/** `brokers`, with kafkajs's texts. */
const brokersCheck: Check = {
  text: 'an array of host:port, or a function that answers one',
  parse: (value) => {
    if (typeof value === 'function') return value;
    if (Array.isArray(value)) checkBrokers(value);
    return Array.isArray(value) ? value : undefined;
  },
};

/** kafkajs's check of a list of brokers; also for the result of a `brokers` function. */
export function checkBrokers(brokers: unknown): asserts brokers is string[] {
  if (!Array.isArray(brokers)) {
    throw new KafkaJSNonRetriableError('Failed to connect: brokers should not be null');
  }
  if (brokers.length === 0) {
    throw new KafkaJSNonRetriableError('Failed to connect: brokers array is empty');
  }
  for (const [index, broker] of brokers.entries()) {
    if (typeof broker !== 'string' || broker === '') {
      const message = `Failed to connect: broker at index ${index} is invalid "${typeof broker}"`;
      throw new KafkaJSNonRetriableError(message);
    }
    const fault = broker.split(',').map(addressFault).find(isGiven);
    if (fault !== undefined) {
      throw new KafkaJSInvalidOptionError(
        `Invalid option client.brokers: broker at index ${index} ${fault}`,
        {
          option: 'client.brokers',
        },
      );
    }
  }
}

/** What is wrong with a broker's address. The address is not shown, because it may contain credentials. */
function addressFault(address: string): string | undefined {
  const scheme = /^\s*([a-z][a-z0-9+._-]*:\/\/)/i.exec(address)?.[1];
  if (scheme !== undefined) {
    return `is a URL: give host:port without "${scheme}" (TLS is client.ssl, credentials are client.sasl)`;
  }
  if (address.includes('@')) return 'has an "@": give host:port, and credentials as client.sasl';
  const [, host, port] =
    /^\s*(\[[^\]]*\]|[^\s/:]+|[0-9a-f:.%]*::[0-9a-f:.%]*)(?::([^:]*?))?\s*$/i.exec(address) ?? [];
  if (host === undefined) return 'is no address: give host:port';
  if (port === undefined || (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    return undefined;
  }
  return 'has no port from 1 to 65535 behind its colon: give host:port';
}

/**
 * How long `connect()` may take: `connectionTimeout` (and `authenticationTimeout`, with `sasl`) when given; else ten
 * seconds, about as long as kafkajs's five attempts of one second with their waits.
 */
function connectTimeout(client: Given): number {
  const connection = client['connectionTimeout'] as number | undefined;
  const authentication = client['authenticationTimeout'] as number | undefined;
  const forSasl = client['sasl'] === undefined ? 0 : (authentication ?? DEFAULT_AUTHENTICATION_TIMEOUT);
  if (connection !== undefined) return connection + forSasl;
  if (authentication === undefined) return DEFAULT_CONNECT_TIMEOUT;
  return Math.max(DEFAULT_CONNECT_TIMEOUT, DEFAULT_CONNECTION_TIMEOUT + forSasl);
}

const SETUP_TIMEOUT = 'socket.connection.setup.timeout.ms';

/**
 * By default a connection's set-up has less time than `connect()`, so that an address that does not answer leaves
 * time for another one.
 */
const setupTimeout = (_value: unknown, { client }: Context): Properties => {
  const given = client['connectionTimeout'] !== undefined || client['authenticationTimeout'] !== undefined;
  const timeout = given ? clamp(connectTimeout(client), 1000, 2_147_483_647) : DEFAULT_SETUP_TIMEOUT;
  return { [SETUP_TIMEOUT]: String(timeout) };
};

const SOCKET_TIMEOUT = 'socket.timeout.ms';
const socketTimeout = (_value: unknown, { client }: Context) => ({
  [SOCKET_TIMEOUT]: String(requestTimeout(client)),
});

/** The longest wait for a response. */
export function requestTimeout(client: Given): number {
  if (client['enforceRequestTimeout'] === false) return MAX_SOCKET_TIMEOUT;
  return clamp(
    (client['requestTimeout'] as number | undefined) ?? DEFAULT_REQUEST_TIMEOUT,
    10,
    MAX_SOCKET_TIMEOUT,
  );
}

/** `client`: the options of `new Kafka()`. */
export const clientTable = optionTable({
  path: 'client',
  rows: [
    {
      name: 'brokers',
      check: brokersCheck,
      defaultText: '`localhost:9092` in NestJS’s classes',
      handling: sets(['bootstrap.servers'], (value): Properties =>
        Array.isArray(value) ? { 'bootstrap.servers': value.join(',') } : {},
      ),
      doc: 'Bootstrap brokers, or a function that returns them, which is called before each start.',
    },
    {
      name: 'clientId',
      check: string,
      default: 'kafkajs',
      handling: setsAsIs('client.id'),
      doc: 'The name that brokers see in their logs and quotas.',
    },
    {
      name: 'ssl',
      check: sslCheck,
      default: false,
      handling: sets(['security.protocol', 'ssl.*'], (ssl, { client }) => ({
        'security.protocol': `${client['sasl'] ? 'sasl_' : ''}${ssl ? 'ssl' : 'plaintext'}`,
        ...sslProperties(ssl),
      })),
      doc: 'TLS: true for Node.js’s own trusted certificates, or options of `tls.connect`.',
    },
    {
      name: 'sasl',
      check: saslCheck,
      handling: sets(['sasl.mechanisms', 'sasl.username', 'sasl.password'], saslProperties),
      doc: 'Credentials: plain, scram-sha-256, scram-sha-512, oauthbearer or aws.',
    },
    {
      name: 'connectionTimeout',
      check: milliseconds(1),
      defaultText: '10000 for `connect()`, 4000 for one connection',
      handling: sets([SETUP_TIMEOUT], setupTimeout),
      doc: 'How long `connect()` may take until it rejects, and a connection until it is tried again (at least 1000).',
    },
    {
      name: 'authenticationTimeout',
      check: milliseconds(1),
      defaultText: '10000, with `sasl`',
      handling: sets([SETUP_TIMEOUT], setupTimeout),
      doc: 'Added to connectionTimeout when `sasl` is used.',
    },
    {
      name: 'reauthenticationThreshold',
      check: milliseconds(),
      handling: { by: 'nothing', because: 'librdkafka authenticates again in time by itself' },
      doc: 'When to authenticate again; librdkafka does so after 90 % of a session’s lifetime.',
    },
    {
      name: 'requestTimeout',
      check: milliseconds(),
      default: DEFAULT_REQUEST_TIMEOUT,
      handling: sets([SOCKET_TIMEOUT], socketTimeout),
      doc: 'How long to wait for a response (10 to 300000).',
    },
    {
      name: 'enforceRequestTimeout',
      check: boolean,
      default: true,
      handling: sets([SOCKET_TIMEOUT], socketTimeout),
      doc: '`false` raises the request time-out to librdkafka’s maximum, 300000 ms.',
    },
    {
      name: 'retry',
      check: nested(retryTable),
      handling: sets(
        BACKOFF_PROPERTIES,
        (retry: Given | undefined, { role }) => backoffProperties(retry, role),
        (retry: Given) => explicitBackoff(retry),
      ),
      doc: 'Back-off of requests and reconnections, and the defaults for the retries of producers and consumers.',
    },
    {
      name: 'socketFactory',
      check: callback,
      handling: refused(
        'librdkafka opens its own sockets',
        'for a proxy route the brokers’ advertised addresses through a TCP tunnel; keep-alive is librdkafka["socket.keepalive.enable"]',
      ),
      doc: 'A function that opens sockets.',
    },
    {
      name: 'logLevel',
      check: numberOf(logLevel),
      default: logLevel.INFO,
      handling: sets(
        ['log_level', 'debug'],
        (level: logLevel) => {
          const effective = effectiveLogLevel(level);
          const debug = effective === logLevel.DEBUG ? { debug: DEBUG_CONTEXTS } : undefined;
          return { log_level: String(SYSLOG_LEVELS.get(effective)), ...debug };
        },
        () => ['log_level'],
      ),
      doc: 'The level of the logger and of librdkafka’s own lines; the environment variable KAFKAJS_LOG_LEVEL overrides it.',
    },
    {
      name: 'logCreator',
      check: callback,
      handling: layer,
      doc: 'Creates the function that writes log lines.',
    },
    {
      name: 'librdkafka',
      check: rawProperties,
      handling: layer,
      doc: 'Raw librdkafka properties of every client made from this one.',
    },
  ],
});

/** The options of `client` that this package itself uses. */
export interface ClientSettings {
  readonly clientId: string;
  /**
   * The brokers, or the function that returns them, called before a handle is created (then `bootstrap.servers` is
   * missing).
   */
  readonly brokers: string[] | BrokersFunction;
  /** How long `connect()` may take. */
  readonly connectTimeoutMs: number;
  /** Time limit of a response. */
  readonly requestTimeoutMs: number;
  readonly retry: ResolvedRetry;
  readonly logLevel: logLevel;
  readonly logCreator?: logCreator;
  /** Returns tokens, for `sasl.mechanisms=OAUTHBEARER`. */
  readonly oauthBearerProvider?: () => Promise<OauthbearerProviderResponse>;
}

/** Checks `client`'s options. */
export const readClient = (config: unknown): Given => readOptions(clientTable, config);

/** The settings of checked options. */
export function clientSettings(client: Given): ClientSettings {
  if (client['brokers'] === undefined) {
    throw new KafkaJSNonRetriableError('Failed to connect: brokers should not be null');
  }
  const sasl = client['sasl'] as { oauthBearerProvider?: ClientSettings['oauthBearerProvider'] } | undefined;
  return {
    clientId: (client['clientId'] as string | undefined) ?? 'kafkajs',
    brokers: client['brokers'] as string[] | BrokersFunction,
    connectTimeoutMs: connectTimeout(client),
    requestTimeoutMs: requestTimeout(client),
    retry: resolveRetry(client['retry'] as Given | undefined),
    logLevel: effectiveLogLevel((client['logLevel'] as logLevel | undefined) ?? logLevel.INFO),
    logCreator: client['logCreator'] as logCreator | undefined,
    oauthBearerProvider: sasl?.oauthBearerProvider,
  };
}

/** `client`'s options alone, as an admin client needs them. */
export function clientProperties(config: KafkaConfig): Translated<ClientSettings> {
  const client = readClient(config);
  const settings = clientSettings(client);
  const context: Context = { role: 'admin', client, own: {}, call: {} };
  const properties = translate(context, [], [{ table: clientTable, given: client }]);
  return { properties: withRootCertificates(properties), settings };
}
