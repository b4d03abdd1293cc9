import { codeOf, errorCode, localErrorCodes } from './codes.js';
import { printable } from '../../values/printable.js';
import { KafkaJSError, KafkaJSNonRetriableError, KafkaJSProtocolError } from './base.js';
import {
  KafkaJSBrokerNotFound,
  KafkaJSConnectionError,
  KafkaJSNotImplemented,
  KafkaJSOffsetOutOfRange,
  KafkaJSRequestTimeoutError,
  KafkaJSSASLAuthenticationError,
  KafkaJSServerDoesNotSupportApiKey,
} from './client.js';

/** An error as the core reports it. */
export interface NativeErrorInfo {
  /** The error code: positive ones (and -1) are the broker's, other negative ones librdkafka's own. */
  code: number;
  /** librdkafka’s text. */
  message: string;
  /** Whether the client can no longer be used. */
  fatal?: boolean;
  /** The topic that it is about. */
  topic?: string;
  /** The partition that it is about. */
  partition?: number;
  /** `host:port` of the broker concerned. */
  broker?: string;
}

/** librdkafka's own error; the `cause` of every error that comes from it. */
export class LibrdkafkaError extends Error {
  /** Always `LibrdkafkaError`. */
  override readonly name: string = 'LibrdkafkaError';
  /** librdkafka's number. */
  readonly code: number;
  /** librdkafka's name of the error (`_TRANSPORT`), or the protocol's. */
  readonly type: string;

  constructor(message: string, code: number, type: string) {
    super(message);
    this.code = code;
    this.type = type;
  }
}

/** Broker error codes that mean refused credentials, for which kafkajs has a class of its own. */
const AUTHENTICATION_CODES: ReadonlySet<number> = new Set(
  ['UNSUPPORTED_SASL_MECHANISM', 'SASL_AUTHENTICATION_FAILED'].map(codeOf),
);
/** Means a listener without SASL; the core's text says more about it than the protocol's. */
const ILLEGAL_SASL_STATE = codeOf('ILLEGAL_SASL_STATE');
const OFFSET_OUT_OF_RANGE = codeOf('OFFSET_OUT_OF_RANGE');
const UNKNOWN = -1;

/** The error for the application from one of the core. Its text may come from a broker. */
export function kafkaErrorFromNative(raw: NativeErrorInfo): KafkaJSError {
  const info = { ...raw, message: printable(raw.message) };
  return info.code >= UNKNOWN ? brokerError(info) : localError(info);
}

function brokerError(info: NativeErrorInfo, code = info.code, cause = causeOf(info)): KafkaJSError {
  if (AUTHENTICATION_CODES.has(code)) {
    return new KafkaJSSASLAuthenticationError(info.message, { cause, fatal: info.fatal });
  }
  const known = errorCode(code);
  const row =
    code === ILLEGAL_SASL_STATE ? { ...known, message: `${known.message}: ${info.message}` } : known;
  const { topic, partition, fatal } = info;
  if (code === OFFSET_OUT_OF_RANGE && topic !== undefined && partition !== undefined) {
    return new KafkaJSOffsetOutOfRange(row, { topic, partition, cause });
  }
  const retriable = row.retriable && !fatal;
  return new KafkaJSProtocolError(row, { retriable, cause, fatal, topic, partition });
}

function localError(info: NativeErrorInfo): KafkaJSError {
  const { fatal, broker } = info;
  const kind = localErrorCodes.get(info.code)?.[1] ?? 'final';
  const cause = causeOf(info);
  const { message } = cause;
  if (typeof kind === 'object') return brokerError(info, kind.protocol, cause);
  switch (kind) {
    case 'connection':
      return new KafkaJSConnectionError(`Connection error: ${message}`, {
        broker,
        code: systemCode(message) ?? cause.type,
        cause,
        fatal,
        retriable: !fatal,
      });
    case 'request-timeout':
      return new KafkaJSRequestTimeoutError(message, { broker, cause, fatal });
    case 'authentication':
      return new KafkaJSSASLAuthenticationError(message, { cause, fatal });
    case 'not-implemented':
      return new KafkaJSNotImplemented(message, { cause });
    case 'not-supported-by-broker':
      return new KafkaJSServerDoesNotSupportApiKey(message, { cause });
    case 'broker-not-found':
      return new KafkaJSBrokerNotFound(message, { cause });
    case 'offset-out-of-range':
      return brokerError(info, OFFSET_OUT_OF_RANGE, cause);
    case 'retry':
      return new KafkaJSError(message, { retriable: !fatal, cause, fatal });
    case 'final':
      return new KafkaJSNonRetriableError(message, { cause, fatal });
  }
}

function causeOf({ code, message }: NativeErrorInfo): LibrdkafkaError {
  const local = localErrorCodes.get(code)?.[0];
  // Results of single topics or partitions have no text.
  return new LibrdkafkaError(
    message || (local ?? errorCode(code).message),
    code,
    local ?? errorCode(code).type,
  );
}

/** The system's error name of a failed connection, which kafkajs has as `code`; librdkafka has only its text. */
function systemCode(message: string): string | undefined {
  if (/connection refused/i.test(message)) return 'ECONNREFUSED';
  if (/connection reset/i.test(message)) return 'ECONNRESET';
  if (/timed out/i.test(message)) return 'ETIMEDOUT';
  if (/failed to resolve|name or service not known|nodename nor servname/i.test(message)) return 'ENOTFOUND';
  return undefined;
}
