import { inspect } from 'node:util';
import { KafkaRetriableException, RpcException } from '@nestjs/microservices';
import { messageOf } from '../../values/describe.js';

/** What an application threw, as it is sent to another thread: a class does not survive that. */
export interface SentError {
  /** The names of its classes, from its own to `Error`; empty for what is no error. */
  readonly classes: readonly string[];
  readonly message: string;
  readonly name: string;
  readonly stack: string | undefined;
  /** Own properties that can be cloned; of what is no error, the value as `value`. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly cause?: SentError;
  /** `getStatus()` of an HttpException. */
  readonly status?: unknown;
  /** `getResponse()` of an HttpException. */
  readonly response?: unknown;
  /** What an RpcException was created with. */
  readonly wrapped?: SentError;
}

const ERROR_FIELDS = new Set(['message', 'name', 'stack', 'cause']);
/** Causes are sent this deep. */
const MOST_CAUSES = 5;

/** Describes what was thrown; never throws itself. */
export function sentError(thrown: unknown, depth = 0): SentError {
  try {
    return thrown instanceof Error ? describe(thrown, depth) : valueOf(thrown);
  } catch (error) {
    return valueOf(`An error that cannot be read: ${messageOf(error)}`);
  }
}

function valueOf(thrown: unknown): SentError {
  const value = cloneable(thrown) ? thrown : inspect(thrown);
  return { classes: [], message: String(value), name: '', stack: undefined, properties: { value } };
}

function describe(error: Error, depth: number): SentError {
  const { name, message, stack, cause } = error;
  const { getStatus, getResponse } = error as { getStatus?: () => unknown; getResponse?: () => unknown };
  const isDeep = depth >= MOST_CAUSES;
  return {
    classes: classesOf(error),
    message: String(message),
    name: String(name),
    stack: stack === undefined ? undefined : String(stack),
    properties: Object.fromEntries(
      Object.entries(error).filter(([key, value]) => !ERROR_FIELDS.has(key) && cloneable(value)),
    ),
    ...(cause !== undefined && !isDeep && { cause: sentError(cause, depth + 1) }),
    ...(typeof getStatus === 'function' && { status: cloned(getStatus.call(error)) }),
    ...(typeof getResponse === 'function' && { response: cloned(getResponse.call(error)) }),
    ...(error instanceof RpcException &&
      !isDeep && { wrapped: sentError(RpcException.prototype.getError.call(error), depth + 1) }),
  };
}

function classesOf(error: Error): string[] {
  const classes: string[] = [];
  for (let proto: unknown = Object.getPrototypeOf(error); proto; proto = Object.getPrototypeOf(proto)) {
    const name: unknown = (proto as object).constructor?.name;
    if (typeof name === 'string' && name !== 'Object') classes.push(name);
  }
  return classes;
}

function cloneable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null)
    return typeof value !== 'function' && typeof value !== 'symbol';
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

const cloned = (value: unknown): unknown => (cloneable(value) ? value : inspect(value));

/**
 * The error for this thread: with the texts, properties and class names of the one thrown, so that `deadLetter.notRetried`,
 * logs and dead letters treat it alike. `KafkaRetriableException` and `RpcException` are NestJS's own again.
 */
export function receivedError(sent: SentError): unknown {
  const { classes, message, name, stack, properties, cause, status, response, wrapped } = sent;
  if (classes.length === 0) return properties['value'];
  const error = makeError(classes, message, wrapped);
  Object.assign(error, properties);
  const define = (key: string, value: unknown): void => {
    Object.defineProperty(error, key, { value, writable: true, configurable: true });
  };
  define('name', name);
  define('message', message);
  define('stack', stack);
  if (cause !== undefined) define('cause', receivedError(cause));
  if ('status' in sent) define('getStatus', () => status);
  if ('response' in sent) define('getResponse', () => response);
  return error;
}

function makeError(classes: readonly string[], message: string, wrapped: SentError | undefined): Error {
  if (wrapped !== undefined) {
    const Exception = classes.includes(KafkaRetriableException.name) ? KafkaRetriableException : RpcException;
    return new Exception(receivedError(wrapped) as string | object);
  }
  const error = new Error(message);
  Object.setPrototypeOf(error, prototypeOf(classes));
  return error;
}

const prototypes = new Map<string, object>();

/** A prototype that names these classes, one behind the other, as `constructor`. */
function prototypeOf(classes: readonly string[]): object {
  const [first, ...rest] = classes;
  if (first === undefined || first === Error.name) return Error.prototype;
  const key = classes.join(' ');
  let prototype = prototypes.get(key);
  if (prototype === undefined) {
    prototype = Object.create(prototypeOf(rest), {
      constructor: { value: Object.defineProperty(function () {}, 'name', { value: first }) },
      [FROM_WORKER]: { value: true },
    }) as object;
    prototypes.set(key, prototype);
  }
  return prototype;
}

const FROM_WORKER: unique symbol = Symbol('from a worker thread');

/** Whether an error comes from a worker thread and its class is not this thread's: classes are told apart by name then. */
export function isFromWorker(error: unknown): boolean {
  return typeof error === 'object' && error !== null && FROM_WORKER in error;
}
