import type { UnboundHandler } from './application.js';

/** NestJS's metadata of a handler's method. */
const PATTERNS = 'microservices:pattern';
const TRANSPORT = 'microservices:transport';
const KIND = 'microservices:handler_type';
/** Its `PatternHandler.EVENT`. */
const EVENT = 2;
/** Its `Transport.KAFKA`. */
const KAFKA = 6;

/** The members of a NestJS application that are read. */
interface Container {
  getModules(): ReadonlyMap<string, { readonly controllers: ReadonlyMap<unknown, Controller> }>;
}
interface Controller {
  readonly metatype?: { readonly name: string; readonly prototype: object } | null;
}

/** A server of any transport. */
interface Server {
  readonly transportId?: unknown;
}

/** What a `NestMicroservice` has, as far as it is read. */
export interface BoundMicroservice {
  readonly container: Container;
  readonly serverInstance: Server;
}

/** Which servers the handlers of each application are offered to. */
export class Bindings {
  readonly #servers = new Map<Container, Set<Server>>();

  /** A server takes what it is to have of the application's handlers. */
  add(container: Container, server: Server): void {
    const servers = this.#servers.get(container) ?? new Set();
    this.#servers.set(container, servers.add(server));
  }

  /**
   * The handlers for Kafka that no server takes, of applications that have a server of Kafka: NestJS binds a handler
   * that names a transport to servers of that `transportId` alone.
   */
  unbound(isKafka: (server: object) => boolean): UnboundHandler[] {
    return [...this.#servers].flatMap(([container, servers]) => {
      const all = [...servers];
      const transports = new Set(all.map(({ transportId }) => transportId));
      // A server without one takes every handler.
      if (transports.has(undefined) || !all.some(isKafka)) return [];
      return [...handlersOf(container)].filter(
        ({ transport }) =>
          (transport === KAFKA || typeof transport === 'symbol') && !transports.has(transport),
      );
    });
  }
}

/** The handlers of all controllers that name a transport. */
function* handlersOf(container: Container): Generator<UnboundHandler> {
  for (const { controllers } of container.getModules().values()) {
    for (const { metatype } of controllers.values()) {
      if (!metatype) continue;
      for (const [name, method] of methodsOf(metatype.prototype)) {
        const transport = metadataOf(TRANSPORT, method);
        if (transport === undefined || metadataOf(KIND, method) === undefined) continue;
        yield {
          method: `${metatype.name}.${name}`,
          patterns: (metadataOf(PATTERNS, method) as unknown[]).map(textOf),
          isEvent: metadataOf(KIND, method) === EVENT,
          transport: transport as UnboundHandler['transport'],
        };
      }
    }
  }
}

/** The methods of a class and of those that it extends, by their names. */
function methodsOf(prototype: object): Map<string, object> {
  const methods = new Map<string, object>();
  for (
    let object = prototype;
    object !== Object.prototype;
    object = Object.getPrototypeOf(object) as object
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(object))) {
      if (typeof value === 'function' && !methods.has(name)) methods.set(name, value as object);
    }
  }
  return methods;
}

/** Read by the application's reflect-metadata, by which its decorators have written it. */
function metadataOf(key: string, method: object): unknown {
  const { getMetadata } = Reflect as { getMetadata?: (key: string, target: object) => unknown };
  return getMetadata?.(key, method);
}

const textOf = (pattern: unknown): string =>
  typeof pattern === 'string' || pattern instanceof RegExp ? String(pattern) : JSON.stringify(pattern);
