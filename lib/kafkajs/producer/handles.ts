import type { ProducerPropertiesOf, ProducerSettings, SendOptions } from '../../options/producer.js';
import { readSend } from '../../options/producer.js';
import { KafkaJSError } from '../errors/index.js';
import type { RequestEvents } from '../instrumentation/request-events.js';
import { ProducerHandle, type ProducerHandleEvents, type SendSettings } from './handle.js';

/** The first of the `acks` that brokers refuse. */
const REFUSED_ACKS = 2;

const USUAL: SendSettings = {};

/**
 * A coordinator refuses the first requests of a transaction until the markers of the one before are written, which takes milliseconds: the
 * usual wait of a producer would make each transaction that follows another at once wait for as long. It grows with each attempt.
 */
const USUAL_BACKOFF = '300';
const TRANSACTION_BACKOFF = '20';

/** What distinguishes handles: few things, because each has its own threads and connections. All `acks` that brokers refuse are one. */
const handleKey = ({ acks, compression }: SendOptions): string =>
  `${Math.min(acks ?? -1, REFUSED_ACKS)}:${compression ?? 0}`;

/** The handle that a send goes to, and how it differs from others there. */
export interface SendTarget {
  readonly handle: ProducerHandle;
  readonly settings: SendSettings;
}

/** What the handles of one producer are made with. */
export interface ProducerHandlesOptions {
  readonly propertiesOf: ProducerPropertiesOf;
  readonly settings: ProducerSettings;
  readonly network: RequestEvents;
  /** The `timeout` of sends that do not say otherwise. */
  readonly timeout: number | undefined;
  readonly events: ProducerHandleEvents;
  /** Throws where no handle may be made. */
  readonly checkConnected: () => void;
}

/** A producer's handles: `acks` and `compression` belong to a handle in librdkafka, so there is one for each combination in use. */
export class ProducerHandles {
  readonly #options: ProducerHandlesOptions;
  readonly #handles = new Map<string, ProducerHandle>();
  /** The last target that was asked for. */
  #latest: (SendOptions & SendTarget) | undefined;
  /** The brokers that the present handles are made with. */
  #bootstrap = '';

  constructor(options: ProducerHandlesOptions) {
    this.#options = options;
  }

  /** Makes the first handle, which the producer connects by. */
  first(bootstrap: string): ProducerHandle {
    this.#bootstrap = bootstrap;
    const handle = this.make({}, false);
    this.#handles.set(handleKey({}), handle);
    return handle;
  }

  /** Where a send of these options goes. */
  target(options: SendOptions): SendTarget {
    const { acks, timeout, compression } = options;
    const latest = this.#latest;
    // Nearly every send is made with the options of the last one.
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

  /** Makes a handle; one for transactions is the caller's. */
  make(options: SendOptions, transactional: boolean): ProducerHandle {
    const { propertiesOf, settings, network, timeout, events } = this.#options;
    const { properties } = propertiesOf({ ...options, timeout });
    if (!transactional) {
      // As in kafkajs, what is sent outside of transactions belongs to none. librdkafka's transactional handles cannot do that.
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

  /** The brokers' id of their cluster, once one has told it. */
  clusterId(): string | undefined {
    for (const handle of this.#handles.values()) return handle.clusterId();
    return undefined;
  }

  /** Resolves when a broker has answered within so many milliseconds. */
  async ping(timeout: number): Promise<void> {
    const [handle] = this.#handles.values();
    if (handle === undefined) throw new KafkaJSError('The producer is disconnected');
    await handle.connect(timeout);
  }

  /** Handles tell of their requests only while somebody listens. */
  watchRequests(watched: boolean): void {
    for (const handle of this.#handles.values()) handle.watchRequests(watched);
  }

  /** Forgets all handles and returns them, for whoever closes them. */
  drain(): ProducerHandle[] {
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    this.#latest = undefined;
    return handles;
  }
}
