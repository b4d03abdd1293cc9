/**
 * Switches an application over without a change of its code:
 *
 * ```sh
 * node --import nestjs-kafka-native/register dist/main.js
 * ```
 *
 * or `-r nestjs-kafka-native/register`, or the import as the application's first line. Every server and client that
 * NestJS creates for `transport: Transport.KAFKA` is then this package's: those of `createMicroservice()`,
 * `connectMicroservice()`, `ClientsModule`, `ClientProxyFactory` and `@Client()`. Servers and clients with an
 * explicit class (`strategy`, `customClass`, `new ClientKafka()`) and other transports are not changed.
 *
 * The environment variable `NESTJS_KAFKA_NATIVE` decides: `on` (the default; also `1`, `true`) or `off` (also `0`, `false`), which leaves
 * NestJS as it is.
 *
 * @packageDocumentation
 */
import { Logger } from '@nestjs/common';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { ClientKafka } from './nest/client/client-kafka.js';
import type { Kafka } from './kafkajs/kafka.js';
import { ServerFactory } from './nest/internals.js';
import { ignoredOptions, withoutIgnored, type IgnoredOptions } from './nest/register/ignored-options.js';
import { otherNest } from './nest/register/other-nest.js';
import { isSwitchedOn, VARIABLE } from './nest/register/switch.js';
import { ServerKafka } from './nest/server/server-kafka.js';

/** The arguments of NestJS's factories that matter here. */
interface TransportOptions {
  transport?: Transport;
  customClass?: unknown;
  options?: object;
}

type Create = (options: TransportOptions) => unknown;

// Set on NestJS's own class, because an application may load both builds of this package, and a test runner several
// copies of NestJS.
const REGISTERED: unique symbol = Symbol.for('nestjs-kafka-native.registered');

/** Both factories. NestJS reads their `create` at every call, so it can be replaced. */
const factories = { server: ServerFactory, client: ClientProxyFactory } as unknown as Record<
  'server' | 'client',
  { create: Create; [REGISTERED]?: { isAnnounced: boolean } }
>;

/**
 * Logs once that this transport is used, when the first server or client connects: by then the application's logger
 * is set.
 */
function announce(): void {
  const registered = factories.server[REGISTERED];
  if (registered === undefined || registered.isAnnounced) return;
  registered.isAnnounced = true;
  new Logger('KafkaNative').log(
    `Transport.KAFKA is served by nestjs-kafka-native; ${VARIABLE}=off gives it back to kafkajs`,
  );
}

class RegisteredServer extends ServerKafka {
  readonly #options: IgnoredOptions;

  constructor(options?: object) {
    const known = ignoredOptions('server', options);
    super(known.options);
    this.#options = known;
  }

  protected override handlerOptions(options: unknown, place: string): unknown {
    return withoutIgnored(options, place);
  }

  protected override createClient(): Kafka {
    announce();
    this.#options.tell();
    return super.createClient();
  }
}

class RegisteredClient extends ClientKafka {
  readonly #options: IgnoredOptions;

  constructor(options?: object) {
    const known = ignoredOptions('client', options);
    super(known.options);
    this.#options = known;
  }

  protected override createClient(): Kafka {
    announce();
    this.#options.tell();
    return super.createClient();
  }
}

/** Makes a factory create `Registered` for Transport.KAFKA, and everything else as before. */
function replace(factory: { create: Create }, Registered: new (options?: object) => unknown): void {
  const create = factory.create.bind(factory);
  factory.create = (options) => {
    // As in NestJS, `customClass` takes precedence over `transport`.
    const isKafka = options?.transport === Transport.KAFKA && !options.customClass;
    return isKafka ? new Registered(options.options) : create(options);
  };
}

function register(): void {
  if (!isSwitchedOn() || factories.server[REGISTERED]) return;
  factories.server[REGISTERED] = { isAnnounced: false };
  replace(factories.server, RegisteredServer);
  replace(factories.client, RegisteredClient);
  const other = otherNest();
  if (other === undefined) return;
  new Logger('KafkaNative').warn(
    `There are two copies of @nestjs/microservices: ${other.application}, which the application uses, stays with kafkajs; ` +
      `nestjs-kafka-native serves ${other.own} only. Leave one of them (npm ls @nestjs/microservices shows whose they are)`,
  );
}

register();
