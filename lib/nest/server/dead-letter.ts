import { inspect } from 'node:util';
import { KafkaHeaders, KafkaRetriableException, RpcException } from '@nestjs/microservices';
import { KafkaSchemaError, KafkaSchemaRegistryError } from '../../kafkajs/errors/index.js';
import { messageOf } from '../../values/describe.js';
import { IDEMPOTENCY_EXCEPTION, type KafkaIdempotencyException } from '../idempotent/exception.js';
import type { DeadLetterOptions, ErrorClass } from '../options/index.js';
import { isFromWorker } from '../workers/sent-error.js';
import { timestampType, type Origin } from './origin.js';
import { LONG_TEXTS, type ErrorTexts, type WrittenHeader } from './retry-headers.js';

/** A failed delivery. */
export interface Failure {
  /** The error that the handler threw, or else the outcome. */
  readonly error: unknown;
  /** The result of Nest's exception filters. */
  readonly outcome: unknown;
  /** Deliveries of the message so far, this one included. */
  readonly attempt: number;
}

const SUFFIX = '.DLT';
const DEFAULT_ATTEMPTS = 3;
/** With retry topics: they exist so that the partition does not wait for further attempts. */
const DEFAULT_ATTEMPTS_BEFORE_RETRY = 1;
/** Longest exception text in a header, in characters. */
const MAX_TEXT = 8192;
/** Most causes of an error that a stack trace lists. */
const MAX_CAUSES = 5;

/** Most deliveries of a message in its own topic. */
export function maxAttempts({ maxAttempts: given, retryTopics }: DeadLetterOptions): number {
  return Number(given ?? (retryTopics ? DEFAULT_ATTEMPTS_BEFORE_RETRY : DEFAULT_ATTEMPTS));
}

/** Whether a message has had all its deliveries in its own topic, or must not be retried. */
export function isFinal(options: DeadLetterOptions, failure: Failure): boolean {
  if (isWaiting(failure)) return false;
  return failure.attempt >= maxAttempts(options) || isHopeless(options, failure);
}

/** Whether a delivery failed only because the schema registry, or the store or another claim of `@Idempotent`, has to be waited for. */
export function isWaiting({ error }: Pick<Failure, 'error'>): boolean {
  if (isOfKind(error, KafkaSchemaRegistryError.brand)) return true;
  return (
    isOfKind(error, IDEMPOTENCY_EXCEPTION) && (error as Partial<KafkaIdempotencyException>).reason !== 'key'
  );
}

/** Whether a delivery failed because the store of `@Idempotent` could not be asked, or told. */
export function isForStore({ error }: Pick<Failure, 'error'>): boolean {
  if (!isOfKind(error, IDEMPOTENCY_EXCEPTION)) return false;
  return (error as Partial<KafkaIdempotencyException>).reason === 'store';
}

/** Of a message that waits, that it does, and for what. */
export function waitsFor({ error }: Pick<Failure, 'error'>): string {
  if (isOfKind(error, KafkaSchemaRegistryError.brand)) return 'waits for the schema registry';
  const { reason } = error as Partial<KafkaIdempotencyException>;
  return reason === 'busy' ? 'waits for another delivery of its key' : 'waits for the store of @Idempotent';
}

/** Whether a message must not be redelivered because of its error (`notRetried`). */
export function isHopeless({ notRetried }: DeadLetterOptions, failure: Failure): boolean {
  if (isOfKind(failure.error, KafkaSchemaError.brand)) return true;
  if (typeof notRetried === 'function') return notRetried(failure.error);
  const { error: thrown, outcome } = failure;
  const errors = [thrown, wrapped(thrown), outcome, wrapped(outcome)];
  if (notRetried) return errors.some((error) => notRetried.some((kind) => isOfKind(error, kind)));
  // KafkaRetriableException asks for another delivery.
  if (errors.some((error) => error instanceof KafkaRetriableException)) return false;
  return errors.some((error) => isClientError(error) || isValidationError(error));
}

/** The error that an RpcException was created with. */
function wrapped(error: unknown): unknown {
  // Called on the prototype, because KafkaRetriableException overrides getError() to return itself.
  return error instanceof RpcException ? RpcException.prototype.getError.call(error) : undefined;
}

function isOfKind(error: unknown, kind: string | ErrorClass): boolean {
  if (typeof kind !== 'string') {
    return error instanceof kind || (isFromWorker(error) && isOfKind(error, kind.name));
  }
  if (typeof error !== 'object' || error === null) return false;
  if ((error as Error).name === kind || error.constructor?.name === kind) return true;
  const proto = Object.getPrototypeOf(error) as object | null;
  return proto !== null && classNames(proto).has(kind);
}

/** By prototype: the names of a class and of those that it extends. */
const namesOfClasses = new WeakMap<object, ReadonlySet<string | undefined>>();

function classNames(proto: object): ReadonlySet<string | undefined> {
  let names = namesOfClasses.get(proto);
  if (names === undefined) {
    const all = new Set<string | undefined>();
    for (let next: object | null = proto; next; next = Object.getPrototypeOf(next) as object | null) {
      all.add(next.constructor?.name);
    }
    names = all;
    namesOfClasses.set(proto, names);
  }
  return names;
}

/** An HttpException with status 400 to 499, of any copy of `@nestjs/common`. */
function isClientError(error: unknown): boolean {
  const { getStatus } = (error ?? {}) as { getStatus?: () => unknown };
  if (!(error instanceof Error) || typeof getStatus !== 'function') return false;
  const status = Number(getStatus.call(error));
  return status >= 400 && status < 500;
}

/** Nest's (and class-validator's) ValidationError, or a list of them. */
function isValidationError(error: unknown): boolean {
  if (Array.isArray(error)) return error.length > 0 && error.every(isValidationError);
  if (typeof error !== 'object' || error === null) return false;
  const { property, constraints, children } = error as Record<string, unknown>;
  return (
    typeof property === 'string' &&
    ((typeof constraints === 'object' && constraints !== null) || Array.isArray(children))
  );
}

/** The default dead-letter topic. */
export function defaultDeadLetterTopic(topic: string): string {
  return topic + SUFFIX;
}

/**
 * The dead-letter topic of a message.
 *
 * @throws TypeError (as a rejection) when the option is a function that does not return a name; its own errors are
 * passed on.
 */
export async function deadLetterTopic<Message extends { topic: string }>(
  option: DeadLetterOptions['topic'] | ((message: Message, error: any) => string),
  message: () => Message,
  topic: string,
  error: unknown,
): Promise<string> {
  if (typeof option !== 'function') return option ?? defaultDeadLetterTopic(topic);
  // An asynchronous function is awaited too, so that its rejection is not unhandled.
  const named: unknown = await (option as (message: Message, error: unknown) => unknown)(message(), error);
  if (typeof named === 'string' && named !== '') return named;
  throw new TypeError(`deadLetter.topic must answer the name of a topic; it answered ${inspect(named)}`);
}

/** An error as text. */
export interface ErrorInWords {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

/** Describes any thrown value as text, also an error whose properties throw when they are read. */
export function describeError(error: unknown): ErrorInWords {
  try {
    return inWords(error);
  } catch (cause) {
    return { name: typeof error, message: `An error that cannot be read: ${messageOf(cause)}` };
  }
}

function inWords(error: unknown): ErrorInWords {
  if (error instanceof Error) {
    const own: unknown = error.constructor?.name;
    const name = (error.name === 'Error' && own) || error.name;
    return { name: asText(name), message: errorMessage(error), stack: stackOf(error) };
  }
  if (typeof error !== 'object' || error === null) return { name: typeof error, message: String(error) };
  const { message } = error as { message?: unknown };
  const name = asText(error.constructor?.name ?? 'Object');
  return { name, message: typeof message === 'string' ? message : inspect(error) };
}

/** Properties of an application's error may have any type. */
function asText(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value);
}

/** The exception of ValidationPipe has its reasons only in its response. */
function errorMessage(error: Error & { getResponse?: () => unknown }): string {
  const response = typeof error.getResponse === 'function' ? error.getResponse() : undefined;
  const details = (response as { message?: unknown } | undefined)?.message;
  const message = asText(error.message);
  return Array.isArray(details) ? `${message}: ${details.map(String).join('; ')}` : message;
}

function stackOf(error: Error): string {
  let text = asText(error.stack ?? '');
  let cause: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES; depth++) {
    cause = (cause as Error).cause ?? wrapped(cause);
    if (!(cause instanceof Error)) break;
    text += `\nCaused by: ${asText(cause.stack ?? String(cause))}`;
  }
  return text;
}

/** The message's own headers, and those about its failure. Earlier headers of these names are replaced. */
export function deadLetterHeaders(
  headers: readonly WrittenHeader[],
  origin: Origin,
  error: unknown,
): WrittenHeader[] {
  const { name, message, stack } = errorTexts(error);
  const added: Record<string, string> = {
    [KafkaHeaders.DLT_EXCEPTION_FQCN]: name,
    [KafkaHeaders.DLT_EXCEPTION_MESSAGE]: message,
    [KafkaHeaders.DLT_EXCEPTION_STACKTRACE]: stack,
    [KafkaHeaders.DLT_ORIGINAL_TOPIC]: origin.topic,
    [KafkaHeaders.DLT_ORIGINAL_PARTITION]: String(origin.partition),
    [KafkaHeaders.DLT_ORIGINAL_OFFSET]: origin.offset,
    [KafkaHeaders.DLT_ORIGINAL_TIMESTAMP]: origin.timestamp,
    [KafkaHeaders.DLT_ORIGINAL_TIMESTAMP_TYPE]: timestampType(origin),
  };
  return [...headers.filter(([header]) => !Object.hasOwn(added, header)), ...Object.entries(added)];
}

/** An error's texts for headers; long ones are cut. */
export function errorTexts(error: unknown): ErrorTexts {
  const { name, message, stack } = describeError(error);
  return { name: cut(name), message: cut(message), stack: cut(stack ?? '') };
}

/** The headers without long texts, for a message that would be too large with them. */
export function withoutTexts<Header extends readonly [string, unknown]>(
  headers: readonly Header[],
): Header[] {
  return headers.filter(([name]) => !LONG_TEXTS.has(name));
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

/** The error reply to a request that has failed for good: the exception's error, in NestJS's shape. */
export function errorReply(outcome: unknown): unknown {
  if (!(outcome instanceof KafkaRetriableException)) {
    return { status: 'error', message: 'Internal server error' };
  }
  const error = wrapped(outcome);
  return typeof error === 'object' && error !== null ? error : { status: 'error', message: error };
}

/** Whether a message was refused because it is too large. */
export function isTooLarge(error: unknown): boolean {
  return (error as { type?: unknown } | null)?.type === 'MESSAGE_TOO_LARGE';
}
