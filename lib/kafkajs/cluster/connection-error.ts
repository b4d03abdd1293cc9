import { codeOf } from '../errors/codes.js';
import { setTimeout as delay } from 'node:timers/promises';
import { errorOf, type Failure } from '../../native/index.js';
import type { CoreEvent } from '../../native/core-events.js';
import type { KafkaJSError } from '../errors/index.js';
import { outOfRetries } from '../retry/out-of-retries.js';
import type { ResolvedRetry } from '../retry/retry.js';

/** The brokers cannot be reached; it does not say why. */
const ALL_BROKERS_DOWN = codeOf('_ALL_BROKERS_DOWN');
/** There was no connection at the time-out. */
const TRANSPORT = codeOf('_TRANSPORT');
/** There was a connection for a moment, but its request had no answer: for the caller this is the same. */
const TIMED_OUT = codeOf('_TIMED_OUT');
/** A broker answered, and refused the credentials. */
const AUTHENTICATION = codeOf('_AUTHENTICATION');
/** How long after a failure its reason may arrive, in milliseconds. */
const LAST_WORD = 250;
/**
 * OpenSSL's text when a certificate is refused. librdkafka's code is then `_SSL`, or `_TRANSPORT` where the handshake
 * took one step.
 */
const VERIFICATION = /certificate verify failed/;

/** The line in librdkafka's log when a certificate is refused (crates/librdkafka/src/certificate.rs). */
const REFUSED_CERTIFICATE = /Certificate \(subject=(.*), issuer=.*\) verification callback failed: (.*)$/;

/**
 * librdkafka's text about a connection that the broker has closed: `<protocol>://<host>:<port>/<id>: <what happened>
 * (after <age> in state <state>`, with the protocol only for TLS or SASL. When reading finds the end of the
 * connection it is a log line, because connections are closed all the time; when writing fails it is an error.
 */
const CLOSED =
  /(?:^|: )(?:(?<protocol>[a-z_]+):\/\/)?[^\s/]+(?:\/\S+)?: (?:Disconnected|Send failed|Receive failed)\b.* \(after (?<age>\d+)ms in state (?<state>UP|APIVERSION_QUERY)\b/;
/**
 * A connection that lasted longer than this (milliseconds) was not closed because of its protocol. librdkafka uses
 * the same limit.
 */
const AT_ONCE = 2000;
const WITHOUT_SASL = 'the broker closed the connection at the first request without SASL';
const WITHOUT_TLS = 'the broker closed the connection at the first request without TLS';

/** Why a connection was closed at once, judged by its protocol and its state. */
function whyClosed(message: string): string | undefined {
  const { protocol = '', age, state } = CLOSED.exec(message)?.groups ?? {};
  if (state === undefined || Number(age) > AT_ONCE) return undefined;
  if (state === 'UP' && !protocol.startsWith('sasl')) return WITHOUT_SASL;
  if (state === 'APIVERSION_QUERY' && !protocol.endsWith('ssl')) return WITHOUT_TLS;
  return undefined;
}

/** The broker's answer to SASL on a listener without SASL. kafkajs does not count it as refused credentials. */
const NO_SASL = /not valid in current SASL state/i;
/** The code of that error in Kafka's protocol. */
const ILLEGAL_SASL_STATE = codeOf('ILLEGAL_SASL_STATE');

/** What a broker answers that does not have the configured mechanism: those that the listener has. */
const MECHANISMS = /supported mechanisms: (?<names>[\w-]+(?:, ?[\w-]+)*)/;
/** `client.sasl` for each mechanism of Kafka's that can be chosen, in the order in which they are offered. */
const SASL: readonly (readonly [name: string, option: string])[] = [
  ['SCRAM-SHA-512', "{ mechanism: 'scram-sha-512', username, password }"],
  ['SCRAM-SHA-256', "{ mechanism: 'scram-sha-256', username, password }"],
  ['PLAIN', "{ mechanism: 'plain', username, password }"],
  ['AWS_MSK_IAM', "mskIam({ region }) of 'nestjs-kafka-native/msk-iam'"],
  ['OAUTHBEARER', "{ mechanism: 'oauthbearer', oauthBearerProvider }"],
  ['AWS', "{ mechanism: 'aws', authorizationIdentity, accessKeyId, secretAccessKey, sessionToken }"],
];
/** A broker knows the mechanism, and refused what it was shown. */
const REFUSED_CREDENTIALS = /SASL authentication error/;
const OTHER_CREDENTIALS = 'give the credentials that this listener knows as client.sasl';

/** What to do where a broker let nobody in because it does not have the mechanism: the option for one that it has. */
export function mechanismInstead(message: string): string | undefined {
  const names = MECHANISMS.exec(message)?.groups?.['names']?.split(/, ?/);
  if (names === undefined) return undefined;
  const options = SASL.filter(([name]) => names.includes(name)).map(([, option]) => option);
  return options.length > 0
    ? `set client.sasl: ${options.join(', or ')}`
    : `this package has none of them: connect to a listener with ${SASL.map(([name]) => name).join(', ')}`;
}

/** `client.sasl` for the mechanism of these options, in words. */
export function saslInWords(sasl: unknown): string {
  const mechanism = String((sasl as { mechanism?: unknown } | null | undefined)?.mechanism).toUpperCase();
  return SASL.find(([name]) => name === mechanism)?.[1] ?? '{ mechanism, username, password }';
}

/** What to do about known reasons of OpenSSL and librdkafka. */
const WAYS_OUT: readonly (readonly [reason: RegExp, wayOut: string])[] = [
  [/request without SASL$/, 'the listener wants SASL: give client.sasl, or connect to one without'],
  [/request without TLS$/, 'the listener speaks TLS: set client.ssl, or connect to one without'],
  [/expired|not yet valid/, 'renew it, or set the clock of this machine'],
  [
    /mismatch/,
    'let the brokers advertise a name of their certificate, or give client.ssl.checkServerIdentity: () => undefined',
  ],
  [/issuer|self.signed|verify the first/, 'give the certificate of its authority as client.ssl.ca'],
  [
    /alert bad certificate|certificate required|authentication might be required/,
    'the broker wants a certificate that it trusts: give client.ssl.cert and client.ssl.key',
  ],
  [
    /PLAINTEXT broker listener|wrong version number|(?:(?:closed|reset) by peer|Broken pipe).* in state SSL_HANDSHAKE/,
    'the listener speaks no TLS: leave out client.ssl',
  ],
];

/** Why a connection fails: the last reason that librdkafka has reported. */
export class ConnectionTrouble {
  #reason: string | undefined;
  #certificate: string | undefined;

  /** Notes the reason that an event of the core contains. */
  note(event: CoreEvent): void {
    if (event.type === 'log') {
      const [, subject, reason] = REFUSED_CERTIFICATE.exec(event.message) ?? [];
      if (reason !== undefined) {
        this.#certificate = `the broker's certificate (${subject}) is not accepted: ${reason}`;
      }
      this.#reason = whyClosed(event.message) ?? this.#reason;
    } else if (event.type === 'error' && event.code !== ALL_BROKERS_DOWN) {
      this.#reason = whyClosed(event.message) ?? event.message;
    }
  }

  /**
   * Resolves when a reason is known, or when none is to be expected any more: another thread may report it after the
   * failure.
   */
  async lastWord(): Promise<void> {
    if (this.#reason === undefined) await delay(LAST_WORD);
  }

  /** The error for a failed connection; if it is retriable, the one that kafkajs rejects with after its last retry. */
  error(failure: Failure, brokers: string | undefined, timeout: number, retry: ResolvedRetry): KafkaJSError {
    const error = this.#last(failure, brokers, timeout);
    return error.retriable ? outOfRetries(error, retry) : error;
  }

  #last(failure: Failure, brokers: string | undefined, timeout: number): KafkaJSError {
    if (failure.code === AUTHENTICATION && NO_SASL.test(failure.message)) {
      const message = `the listener of ${brokers} takes no SASL: leave out client.sasl, or connect to one with SASL`;
      return errorOf({ ...failure, code: ILLEGAL_SASL_STATE, message });
    }
    if (failure.code === AUTHENTICATION) {
      const wayOut =
        mechanismInstead(failure.message) ??
        (REFUSED_CREDENTIALS.test(failure.message) ? OTHER_CREDENTIALS : undefined);
      const message = `no broker of ${brokers} let us in: ${failure.message}${wayOut ? `; ${wayOut}` : ''}`;
      return errorOf({ ...failure, message });
    }
    const said = this.#reason;
    const reason = said !== undefined && VERIFICATION.test(said) ? (this.#certificate ?? said) : said;
    const message = `no broker of ${brokers} answered within ${timeout} ms`;
    const code = failure.code === TIMED_OUT ? TRANSPORT : failure.code;
    if (reason === undefined) return errorOf({ ...failure, code, message });
    const wayOut = WAYS_OUT.find(([pattern]) => pattern.test(reason))?.[1];
    return errorOf({ ...failure, code, message: `${message} (${reason}${wayOut ? `; ${wayOut}` : ''})` });
  }
}
