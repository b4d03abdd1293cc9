import type { ProducerPropertiesOf, ProducerSettings, SendOptions } from '../../options/producer.js';
import { readSend } from '../../options/producer.js';
import { KafkaJSError } from '../errors/index.js';
import type { RequestEvents } from '../instrumentation/request-events.js';
import { ProducerHandle, type ProducerHandleEvents, type SendSettings } from './handle.js';

/** The first of the `acks` that brokers refuse. */
const REFUSED_ACKS = 2;

const USUAL: SendSettings = {};

/**
 * A coordinator refuses the first requests of a transaction until the markers of the previous one are written, which
 * takes milliseconds. With a producer's usual back-off, each transaction right after another would wait that long; so
 * it starts shorter here and grows with each attempt.
 */
const USUAL_BACKOFF = '300';
const TRANSACTION_BACKOFF = '20';

/**
 * The key of a handle. It contains little, because each handle has its own threads and connections. All `acks` that
 * brokers refuse share a key.
 */
const handleKey = ({ acks, compression }: SendOptions): string =>
  `${Math.min(acks ?? -1, REFUSED_ACKS)}:${compression ?? 0}`;

/** The handle and the settings of a send. */
export interface SendTarget {
  readonly handle: ProducerHandle;
  readonly settings: SendSettings;
}

/** Options of a producer's handles. */
export interface ProducerHandlesOptions {
  readonly propertiesOf: ProducerPropertiesOf;
  readonly settings: ProducerSettings;
  readonly network: RequestEvents;
  /** The default `timeout` of sends. */
  readonly timeout: number | undefined;
  readonly events: ProducerHandleEvents;
  /** Throws if no handle may be created. */
  readonly checkConnected: () => void;
}

/** A producer's handles: `acks` and `compression` belong to a handle in librdkafka, so there is one for each combination in use. */
export class ProducerHandles {
  readonly #options: ProducerHandlesOptions;
  readonly #handles = new Map<string, ProducerHandle>();
  /** The last target that was asked for. */
  #latest: (SendOptions & SendTarget) | undefined;
  /** The brokers of the current handles. */
  #bootstrap = '';

  constructor(options: ProducerHandlesOptions) {
    this.#options = options;
  }

  /** Creates the first handle, with which the producer connects. */
  first(bootstrap: string): ProducerHandle {
    this.#bootstrap = bootstrap;
    const handle = this.make({}, false);
    this.#handles.set(handleKey({}), handle);
    return handle;
  }

  /** The target of a send with these options. */
  target(options: SendOptions): SendTarget {
    const { acks, timeout, compression } = options;
    const latest = this.#latest;
    // Nearly every send has the options of the last one.
    const isSame =
      latest !== undefined &&
      latest.acks === acks &&
      latest.timeout === timeout &&
      latest.compression === compression;
    if (isSame) return latest;
    const handle = this.#handleOf({ acks, timeout, compression });
    const isUsual = timeout === undefined || timeout === null || timeout === this.#options.timeout;
    const settings = isUsual ? USUAL : { limit: this.#options.settings.sendLimit(Number(timeout)) };
    this.#latest = { acks, timeout, compression, handle, settings };
    return this.#latest;
  }

  #handleOf(options: SendOptions): ProducerHandle {
    readSend(options);
    const key = handleKey(options);
    const known = this.#handles.get(key);
    if (known !== undefined) return known;
    this.#options.checkConnected();
    const handle = this.make(options, false);
    this.#handles.set(key, handle);
    return handle;
  }

  /** Creates a handle; one for transactions belongs to the caller. */
  make(options: SendOptions, transactional: boolean): ProducerHandle {
    const { propertiesOf, settings, network, timeout, events } = this.#options;
    const { properties } = propertiesOf({ ...options, timeout });
    if (!transactional) {
      // As in kafkajs, messages may be sent outside of transactions, which librdkafka's transactional producers do
      // not allow.
      delete properties['transactional.id'];
      delete properties['transaction.timeout.ms'];
    } else {
      properties['enable.idempotence'] = 'true';
      if (properties['retry.backoff.ms'] === USUAL_BACKOFF)
        properties['retry.backoff.ms'] = TRANSACTION_BACKOFF;
    }
    return new ProducerHandle(
      { ...properties, 'bootstrap.servers': this.#bootstrap },
      { retry: settings.retry, watchRequests: network.wantsRequests },
      events,
    );
  }

  /** The cluster's id, once a broker has reported it. */
  clusterId(): string | undefined {
    for (const handle of this.#handles.values()) return handle.clusterId();
    return undefined;
  }

  /** Resolves when a broker has answered within `timeout` milliseconds. */
  async ping(timeout: number): Promise<void> {
    const [handle] = this.#handles.values();
    if (handle === undefined) throw new KafkaJSError('The producer is disconnected');
    await handle.connect(timeout);
  }

  /** Bytes of the keys and values of requests and replies that are on their way to the brokers. */
  rpcBytes(): number {
    let sum = 0;
    for (const handle of this.#handles.values()) sum += handle.rpcBytes();
    return sum;
  }

  /** Starts or stops reporting requests: handles report them only while there are listeners. */
  watchRequests(watched: boolean): void {
    for (const handle of this.#handles.values()) handle.watchRequests(watched);
  }

  /** Removes and returns all handles, for the caller to close. */
  drain(): ProducerHandle[] {
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    this.#latest = undefined;
    return handles;
  }
}
