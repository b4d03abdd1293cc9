/** Under this symbol an error carries the names of the classes it is an instance of, most derived first. */
const BRAND = Symbol.for('nestjs-kafka-native.error');

/** What kafkajs's constructors take: a message, or an error or description whose message (and `helpUrl`) is used. */
export type ErrorSource =
  | string
  | {
      /** The text. */
      readonly message: string;
      /** Where to read more. */
      readonly helpUrl?: string;
    };

/** What describes a protocol error: a row of the table of error codes, or an error made from one. */
export interface ProtocolErrorSource {
  /** The text. */
  readonly message: string;
  /** The protocol’s name of the error, for example `NOT_LEADER_FOR_PARTITION`. */
  readonly type: string;
  /** The protocol’s number of the error. */
  readonly code: number;
  /** Whether the same request may succeed later. */
  readonly retriable?: boolean;
  /** Where to read more. */
  readonly helpUrl?: string;
}

interface Branded {
  readonly brand?: string;
}

/** The names of the branded classes from `constructor` upwards. */
function brandsOf(constructor: unknown): string[] {
  const brands: string[] = [];
  for (
    let current = constructor;
    typeof current === 'function';
    current = Object.getPrototypeOf(current) as unknown
  ) {
    if (Object.hasOwn(current, 'brand')) brands.push((current as Branded).brand as string);
  }
  return brands;
}

function hasBrand(value: unknown, brand: string): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const brands = (value as { [BRAND]?: unknown })[BRAND];
  return Array.isArray(brands) && brands.includes(brand);
}

/**
 * `value instanceof constructor` by brand; a subclass defined by an application has no brand and is compared as
 * usual.
 */
function isInstance(constructor: object, value: unknown): boolean {
  if (!Object.hasOwn(constructor, 'brand')) {
    return Function.prototype[Symbol.hasInstance].call(constructor as () => void, value);
  }
  return hasBrand(value, (constructor as Branded).brand as string);
}

/** Sets brand and name, and makes the stack begin with that name. */
function brandError(error: Error, constructor: new (...args: never[]) => Error): void {
  const brands = brandsOf(constructor);
  Object.defineProperty(error, BRAND, { value: brands });
  error.name = brands[0] ?? 'Error';
  Error.captureStackTrace(error, constructor);
}

const messageOf = (e: ErrorSource): string => (typeof e === 'string' ? e : e.message);

/** The base of (nearly) all errors of this package. */
export class KafkaJSError extends Error {
  /** @internal */
  static readonly brand: string = 'KafkaJSError';
  /** @internal */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isInstance(this, value);
  }

  /** Whether the same call may succeed if it is repeated. */
  readonly retriable: boolean;
  /** A page that explains the error, where there is one. */
  readonly helpUrl?: string;
  /** Whether the client can no longer be used and has to be replaced. Set on errors from the core. */
  readonly fatal?: boolean;
  /** What led to this error. */
  declare readonly cause?: Error;

  constructor(
    e: ErrorSource,
    { retriable = true, cause, fatal }: { retriable?: boolean; cause?: Error; fatal?: boolean } = {},
  ) {
    super(messageOf(e), cause === undefined ? undefined : { cause });
    brandError(this, new.target);
    this.retriable = retriable;
    if (typeof e !== 'string' && e.helpUrl !== undefined) this.helpUrl = e.helpUrl;
    if (fatal !== undefined) this.fatal = fatal;
  }
}

/** An error that repeating the call does not help. */
export class KafkaJSNonRetriableError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSNonRetriableError';

  constructor(e: ErrorSource, { cause, fatal }: { cause?: Error; fatal?: boolean } = {}) {
    super(e, { retriable: false, cause, fatal });
  }
}

/** An error in a broker's response. */
export class KafkaJSProtocolError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSProtocolError';
  /** The protocol's name of the error, for example `UNKNOWN_TOPIC_OR_PARTITION`. */
  readonly type: string;
  /** The protocol's number of the error. */
  readonly code: number;
  /** The topic concerned, if the core knows it. */
  readonly topic?: string;
  /** The partition concerned, if the core knows it. */
  readonly partition?: number;

  constructor(
    e: ProtocolErrorSource,
    {
      retriable = e.retriable,
      cause,
      fatal,
      topic,
      partition,
    }: { retriable?: boolean; cause?: Error; fatal?: boolean; topic?: string; partition?: number } = {},
  ) {
    super(e, { retriable, cause, fatal });
    this.type = e.type;
    this.code = e.code;
    if (topic !== undefined) this.topic = topic;
    if (partition !== undefined) this.partition = partition;
  }
}

/** Several errors at once, for example one for each topic that could not be created. Not a {@link KafkaJSError}, as in kafkajs. */
export class KafkaJSAggregateError extends Error {
  /** @internal */
  static readonly brand: string = 'KafkaJSAggregateError';
  /** @internal */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isInstance(this, value);
  }

  /** One error for each part that failed. */
  readonly errors: (Error | string)[];

  constructor(message: ErrorSource, errors: (Error | string)[]) {
    super(messageOf(message));
    brandError(this, new.target);
    this.errors = errors;
  }
}

/** An option that is unknown, has a wrong value, or cannot work on librdkafka; thrown at construction. */
export class KafkaJSInvalidOptionError extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSInvalidOptionError';
  /** The option's path, for example `consumer.sessionTimeout`. */
  readonly option: string;

  constructor(e: ErrorSource, { option, cause }: { option: string; cause?: Error }) {
    super(e, { cause });
    this.option = option;
  }
}

/** Whether `value` is an error of this package (of any copy of it). */
export function isKafkaError(value: unknown): value is KafkaJSError {
  return hasBrand(value, 'KafkaJSError');
}
