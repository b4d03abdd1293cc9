import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { KAFKA_CONFIG } from '../../kafkajs/instrumentation/kafka-config.js';
import type {
  Application,
  InspectedDriver,
  InspectedHandler,
  InspectedRequest,
  Origin,
} from './application.js';
import { Bindings, type BoundMicroservice } from './bindings.js';
import { silence } from './stand-ins.js';

type Method = (this: object, ...args: unknown[]) => unknown;
type Methods = Record<string, Method | undefined>;
interface Class {
  readonly prototype: object;
}

/** The members of Kafka servers and clients that are read, of NestJS's classes and of this package's. */
interface Recorded {
  readonly options?: Record<string, unknown>;
  readonly clientId: string;
  readonly groupId: string;
  readonly transportId?: unknown;
  readonly messageHandlers?: Map<string | RegExp, Handler>;
}

interface Handler {
  readonly isEventHandler?: boolean;
  readonly extras?: Record<string, unknown>;
  readonly next?: Handler;
}

/** Who is told what happens. */
interface Watcher {
  /** A Kafka object was created or started; an application has started, if `isStarted`. */
  onEvent(isStarted: boolean): void;
  /** An application would listen on a port now, and goes on without. */
  onListen(): void;
}

/** The options of a `Kafka`. */
type Options = Readonly<Record<string, unknown>>;
type ConfigOf = (kafka: object) => Options | undefined;

/** The entry points of the two packages. */
const NEST = '@nestjs/microservices';
const OURS = 'nestjs-kafka-native';

/**
 * Records the Kafka objects that an application creates, and keeps it from connecting: consumers, producers and admin
 * clients do nothing, and an HTTP server does not listen. Patches methods of the classes that the application itself
 * resolves, of this package and of NestJS, until {@link Recorder.restore}.
 */
export class Recorder {
  readonly #entry: string;
  readonly #servers: { origin: Origin; object: Recorded }[] = [];
  readonly #clients = new Map<Recorded, { origin: Origin; requests: InspectedRequest[] }>();
  readonly #drivers: InspectedDriver[] = [];
  readonly #bindings = new Bindings();
  readonly #undo: (() => void)[] = [];
  readonly #patched = new Set<object>();
  readonly #watcher: Watcher;

  constructor(entry: string, watcher: Watcher) {
    this.#entry = entry;
    this.#watcher = watcher;
  }

  /** Patches the classes. Packages that the application does not have are skipped. */
  async install(): Promise<void> {
    const application = createRequire(this.#entry);
    const microservices = loadFrom(application, NEST);
    const core = loadFrom(application, '@nestjs/core');
    if (microservices !== undefined) {
      this.#watchNest('@nestjs/microservices', microservices);
      const nest = createRequire(application.resolve(NEST));
      for (const require of [application, nest]) {
        const kafkajs = loadFrom(require, 'kafkajs');
        if (kafkajs !== undefined) this.#watchDriver(kafkajs, this.#watchConfigs(kafkajs));
      }
    }
    for (const entry of await loadOurs(application)) {
      this.#watchNest('nestjs-kafka-native', entry);
      this.#leaveTopics(entry);
      this.#watchDriver(entry, (kafka) => (kafka as { [KAFKA_CONFIG]: () => Options })[KAFKA_CONFIG]());
    }
    if (core !== undefined) this.#watchStart(core);
    if (microservices !== undefined) this.#watchMicroservices(microservices, core ?? {});
  }

  /** Removes the patches. */
  restore(): void {
    for (const undo of this.#undo.splice(0)) undo();
    this.#patched.clear();
  }

  /** What has been recorded so far. */
  application(): Application {
    return {
      entry: this.#entry,
      servers: this.#servers.map(({ origin, object }) => ({
        origin,
        options: object.options ?? {},
        clientId: object.clientId,
        groupId: object.groupId,
        transportId: object.transportId,
        handlers: [...(object.messageHandlers ?? [])].flatMap(([pattern, handler]) =>
          handlersOf(pattern, handler),
        ),
      })),
      clients: [...this.#clients].map(([{ options = {}, clientId, groupId }, { origin, requests }]) => ({
        origin,
        options,
        clientId,
        groupId,
        requests,
      })),
      drivers: this.#drivers,
      unbound: this.#bindings.unbound((server) => this.#servers.some(({ object }) => object === server)),
    };
  }

  #watchNest(origin: Origin, { ServerKafka, ClientKafka }: Record<string, unknown>): void {
    // The first method that a constructor calls once its options are in place.
    this.#wrap(ServerKafka as Class, 'initializeSerializer', (original) => {
      const record = (object: Recorded): void => {
        this.#servers.push({ origin, object });
      };
      return function initializeSerializer(this: object, ...args) {
        record(this as Recorded);
        return original.apply(this, args);
      };
    });
    this.#wrap(ClientKafka as Class, 'initializeSerializer', (original) => {
      const record = (object: Recorded): void => {
        this.#clients.set(object, { origin, requests: [] });
      };
      return function initializeSerializer(this: object, ...args) {
        record(this as Recorded);
        return original.apply(this, args);
      };
    });
    this.#wrap(ClientKafka as Class, 'subscribeToResponseOf', (original) => {
      const record = (object: object, pattern: unknown): void => {
        const methods = object as Record<
          'normalizePattern' | 'getResponsePatternName',
          (of: unknown) => string
        >;
        const topic = methods.normalizePattern(pattern);
        const request = { topic, replyTopic: methods.getResponsePatternName(topic) };
        this.#clients.get(object as Recorded)?.requests.push(request);
        this.#watcher.onEvent(false);
      };
      return function subscribeToResponseOf(this: object, ...args) {
        record(this, args[0]);
        return original.apply(this, args);
      };
    });
  }

  /**
   * Keeps topics from being created or compared and schemas from being fetched: neither brokers nor registries are
   * contacted.
   */
  #leaveTopics({ ServerKafka, ClientKafka }: Record<string, unknown>): void {
    for (const type of [ServerKafka, ClientKafka]) {
      this.#wrap(type as Class, 'provisionTopics', () => () => Promise.resolve());
    }
  }

  /** Remembers the options of each `Kafka` of kafkajs, which does not show them. */
  #watchConfigs(kafkajs: Record<string, unknown>): ConfigOf {
    const configs = new WeakMap<object, Record<string, unknown>>();
    const { Kafka: original } = kafkajs;
    kafkajs['Kafka'] = new Proxy(original as Class & (new (config: object) => object), {
      construct: (target, args, newTarget) => {
        const made = Reflect.construct(target, args, newTarget) as object;
        configs.set(made, args[0] as Record<string, unknown>);
        return made;
      },
    });
    this.#undo.push(() => (kafkajs['Kafka'] = original));
    return (kafka) => configs.get(kafka);
  }

  #watchDriver({ Kafka }: Record<string, unknown>, configOf: ConfigOf): void {
    for (const kind of ['consumer', 'producer', 'admin'] as const) {
      this.#wrap(Kafka as Class, kind, (original) => {
        const record = (kafka: object, object: object, config: object = {}): object => {
          const topics = new Set<string | RegExp>();
          const brokers = configOf(kafka)?.['brokers'];
          this.#drivers.push({ kind, config: config as Record<string, unknown>, brokers, topics });
          return silence(kind, object, (topic) => topics.add(topic));
        };
        return function make(this: object, ...args) {
          return record(this, original.apply(this, args) as object, args[0] as object | undefined);
        };
      });
    }
  }

  /** Notices when an application has started, and keeps it from listening on a port. */
  #watchStart({ NestApplication, NestFactory }: Record<string, unknown>): void {
    const ports = new WeakMap<object, unknown>();
    this.#wrap(NestApplication as Class, 'listen', () => {
      const { onEvent, onListen } = this.#watcher;
      return async function listen(this: object, ...args) {
        await (this as { init(): Promise<unknown> }).init();
        ports.set(this, args[0]);
        onEvent(true);
        onListen();
        const callback = args.at(-1);
        if (typeof callback === 'function') callback();
        return (this as { getHttpServer(): unknown }).getHttpServer();
      };
    });
    // What most applications print next.
    this.#wrap(NestApplication as Class, 'getUrl', (original) => {
      return function getUrl(this: object, ...args) {
        if (!ports.has(this)) return original.apply(this, args);
        return Promise.resolve(`http://localhost:${String(ports.get(this))}`);
      };
    });
    this.#wrapOn(NestFactory as object, 'createApplicationContext', (original) => {
      const { onEvent } = this.#watcher;
      return async function create(this: object, ...args) {
        const result = await original.apply(this, args);
        onEvent(true);
        return result;
      };
    });
  }

  /** Notices which servers the handlers are offered to, and when a microservice has started. */
  #watchMicroservices(
    { NestMicroservice }: Record<string, unknown>,
    { NestApplication }: Record<string, unknown>,
  ): void {
    // Those of a hybrid application start before it has.
    const parts = new WeakSet();
    this.#wrap(NestApplication as Class, 'connectMicroservice', (original) => {
      return function connectMicroservice(this: object, ...args) {
        const microservice = original.apply(this, args) as object;
        parts.add(microservice);
        return microservice;
      };
    });
    this.#wrap(NestMicroservice as Class, 'listen', (original) => {
      const { onEvent } = this.#watcher;
      return async function listen(this: object, ...args) {
        const result = await original.apply(this, args);
        if (!parts.has(this)) onEvent(true);
        return result;
      };
    });
    this.#wrap(NestMicroservice as Class, 'registerListeners', (original) => {
      const bindings = this.#bindings;
      return function registerListeners(this: object, ...args) {
        const { container, serverInstance } = this as BoundMicroservice;
        bindings.add(container, serverInstance);
        return original.apply(this, args);
      };
    });
  }

  #wrap(type: Class | undefined, name: string, wrap: (original: Method) => Method): void {
    if (type !== undefined) this.#wrapOn(type.prototype, name, wrap);
  }

  #wrapOn(object: object, name: string, wrap: (original: Method) => Method): void {
    const methods = object as Methods;
    const original = methods[name];
    if (typeof original !== 'function' || this.#patched.has(original)) return;
    const wrapped = wrap(original);
    this.#patched.add(wrapped);
    const own = Object.getOwnPropertyDescriptor(object, name);
    Object.defineProperty(object, name, { value: wrapped, configurable: true, writable: true });
    this.#undo.push(() => {
      if (own === undefined) delete methods[name];
      else Object.defineProperty(object, name, own);
    });
  }
}

/** A handler and the further handlers of the same pattern, which NestJS links by `next`. */
function handlersOf(pattern: string | RegExp, handler: Handler | undefined): InspectedHandler[] {
  if (handler === undefined) return [];
  const { isEventHandler = false, extras = {}, next } = handler;
  return [{ pattern, isEvent: isEventHandler, extras }, ...handlersOf(pattern, next)];
}

/** A package as the application would load it; undefined if it is not installed. */
function loadFrom(require: NodeJS.Require, name: string): Record<string, unknown> | undefined {
  try {
    require.resolve(name);
  } catch {
    return undefined;
  }
  return require(name) as Record<string, unknown>;
}

/** Both builds of this package, of the copy that the application has. */
async function loadOurs(application: NodeJS.Require): Promise<Record<string, unknown>[]> {
  let folder: string;
  try {
    folder = dirname(application.resolve(`${OURS}/package.json`));
  } catch {
    return [];
  }
  const files = ['cjs', 'esm'].map((build) => pathToFileURL(join(folder, 'dist', build, 'index.js')).href);
  return Promise.all(files.map((file) => import(file) as Promise<Record<string, unknown>>));
}
