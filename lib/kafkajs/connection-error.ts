import { errorOf, type Failure } from '../native.js';
import type { CoreEvent } from './core-events.js';
import type { KafkaJSError } from './errors.js';
import { outOfRetries } from './out-of-retries.js';
import type { ResolvedRetry } from './retry.js';

/** librdkafka's `_ALL_BROKERS_DOWN` says that, not why. */
const ALL_BROKERS_DOWN = -187;
/** librdkafka's `_AUTHENTICATION`: more than that nobody answered. */
const AUTHENTICATION = -169;
/** OpenSSL's words when a certificate is refused. librdkafka's code is then `_SSL`, or `_TRANSPORT` where the handshake took one step. */
const VERIFICATION = /certificate verify failed/;

/** What librdkafka's log says when a certificate is refused (src/binding/librdkafka/certificate.rs). */
const REFUSED_CERTIFICATE = /Certificate \(subject=(.*), issuer=.*\) verification callback failed: (.*)$/;

/** What to do about OpenSSL's and librdkafka's reasons, where they are known. */
const WAYS_OUT: readonly (readonly [reason: RegExp, wayOut: string])[] = [
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
];

/** Why a connection is not made: the last word of librdkafka's that tells. */
export class ConnectionTrouble {
  #reason: string | undefined;
  #certificate: string | undefined;

  /** Remembers what an event of the core says about it. */
  note(event: CoreEvent): void {
    if (event.type === 'log') {
      const [, subject, reason] = REFUSED_CERTIFICATE.exec(event.message) ?? [];
      if (reason !== undefined) {
        this.#certificate = `the broker's certificate (${subject}) is not accepted: ${reason}`;
      }
    } else if (event.type === 'error' && event.code !== ALL_BROKERS_DOWN) {
      this.#reason = event.message;
    }
  }

  /**
   * The error of a connection that was not made: of one that could be tried again, what kafkajs rejects with when it has been, often
   * enough.
   */
  error(failure: Failure, brokers: string | undefined, timeout: number, retry: ResolvedRetry): KafkaJSError {
    const error = this.#last(failure, brokers, timeout);
    return error.retriable ? outOfRetries(error, retry) : error;
  }

  #last(failure: Failure, brokers: string | undefined, timeout: number): KafkaJSError {
    if (failure.code === AUTHENTICATION) {
      return errorOf({ ...failure, message: `no broker of ${brokers} let us in: ${failure.message}` });
    }
    const said = this.#reason;
    const reason = said !== undefined && VERIFICATION.test(said) ? (this.#certificate ?? said) : said;
    const message = `no broker of ${brokers} answered within ${timeout} ms`;
    if (reason === undefined) return errorOf({ ...failure, message });
    const wayOut = WAYS_OUT.find(([pattern]) => pattern.test(reason))?.[1];
    return errorOf({ ...failure, message: `${message} (${reason}${wayOut ? `; ${wayOut}` : ''})` });
  }
}
