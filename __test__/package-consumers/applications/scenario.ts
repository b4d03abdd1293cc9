import 'reflect-metadata';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import {
  Catch,
  Controller,
  Inject,
  Injectable,
  Module,
  UseFilters,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxy,
  ClientsModule,
  Ctx,
  EventPattern,
  KafkaContext,
  KafkaHeaders,
  KafkaRetriableException,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import * as kafkaNative from 'nestjs-kafka-native';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { firstValueFrom, of, throwError, toArray, type Observable } from 'rxjs';

/** What an application saw of itself; the tests compare it. */
export type Facts = Awaited<ReturnType<typeof scenario>>;

/** The hooks of Nest's `Server` and `ClientProxy`; its first version 11 has none, and 11 has none for clients. */
interface Hooks {
  setOnProcessingStartHook(
    hook: (transportId: unknown, context: unknown, done: () => Promise<unknown>) => void,
  ): void;
  setOnProcessingEndHook(hook: (transportId: unknown, context: unknown) => void): void;
  setOnDispatchHook(hook: (packet: { pattern: unknown; data: unknown }) => void): void;
}

const resolver = createRequire(process.argv[1] as string);
const CLIENT = 'CLIENT';

/** Calls back once something has happened `times` times. */
class Countdown {
  #done: () => void = () => undefined;
  readonly reached = new Promise<void>((resolve) => {
    this.#done = resolve;
  });

  constructor(private times: number) {}

  count(): void {
    this.times -= 1;
    if (this.times === 0) this.#done();
  }
}

function applicationOf(prefix: string, broker: string, Client: typeof ClientKafka) {
  const seen = {
    contexts: [] as boolean[],
    event: undefined as unknown,
    flakyOffsets: [] as string[],
    retryOffsets: [] as string[],
    filtered: [] as boolean[],
    topics: [] as string[],
  };
  const events = new Countdown(4);

  @Catch(RpcException)
  class Filter {
    catch(exception: RpcException): Observable<never> {
      seen.filtered.push(exception instanceof RpcException);
      return throwError(() => exception.getError());
    }
  }

  @Controller()
  class Handlers {
    @MessagePattern(`${prefix}.sum`)
    sum(@Payload() numbers: number[], @Ctx() context: KafkaContext): number {
      seen.contexts.push(context instanceof KafkaContext);
      return numbers.reduce((sum, number) => sum + number, 0);
    }

    @MessagePattern(`${prefix}.count`)
    count(@Payload() { to }: { to: number }): Observable<number> {
      return of(...Array.from({ length: to }, (_, index) => index + 1));
    }

    @UseFilters(new Filter())
    @MessagePattern(`${prefix}.refuse`)
    refuse(): never {
      throw new RpcException({ code: 'REFUSED', message: 'not today' });
    }

    @MessagePattern(`${prefix}.retry`)
    retry(@Ctx() context: KafkaContext): string {
      const { offset } = context.getMessage();
      seen.retryOffsets.push(offset);
      if (seen.retryOffsets.length === 1) throw new KafkaRetriableException('not yet');
      return 'at the second attempt';
    }

    @MessagePattern(new RegExp(`^${prefix}\\.GREET\\.ONE$`, 'i'))
    greet(@Payload() name: string): string {
      return `hello ${name}`;
    }

    @EventPattern<string>(`${prefix}.born`)
    born(@Payload() data: unknown, @Ctx() context: KafkaContext): void {
      const { headers, key } = context.getMessage();
      seen.contexts.push(context instanceof KafkaContext);
      seen.event = {
        data,
        key: String(key),
        header: String(headers?.['colour']),
        topic: context.getTopic(),
        partition: context.getPartition(),
      };
      events.count();
    }

    @EventPattern<string>(`${prefix}.flaky`)
    flaky(@Ctx() context: KafkaContext): void {
      seen.flakyOffsets.push(context.getMessage().offset);
      if (seen.flakyOffsets.length === 1) throw new KafkaRetriableException('not yet');
      events.count();
    }

    @EventPattern<RegExp>(new RegExp(`^${prefix}\\.SEEN\\.(ONE|TWO)$`, 'i'))
    seen(@Ctx() context: KafkaContext): void {
      seen.topics.push(context.getTopic());
      events.count();
    }
  }

  @Injectable()
  class Caller implements OnModuleInit {
    constructor(@Inject(CLIENT) readonly client: ClientKafka) {}

    async onModuleInit(): Promise<void> {
      for (const name of ['sum', 'count', 'refuse', 'retry', 'greet.one'])
        this.client.subscribeToResponseOf(`${prefix}.${name}`);
      await this.client.connect();
    }
  }

  @Module({
    imports: [
      ClientsModule.register([
        {
          name: CLIENT,
          customClass: Client as Type<ClientProxy>,
          options: { client: { brokers: [broker], clientId: prefix }, consumer: { groupId: prefix } },
        },
      ]),
    ],
    controllers: [Handlers],
    providers: [Caller],
  })
  class Application {}

  return { Application, Caller, seen, events };
}

/** One application with a server and a client, from its start to its end. */
export async function scenario(prefix: string, classes: { Server?: unknown; Client?: unknown } = {}) {
  const broker = process.env['KAFKA_BROKERS'] as string;
  const Server = (classes.Server ?? ServerKafka) as typeof ServerKafka;
  const Client = (classes.Client ?? ClientKafka) as typeof ClientKafka;
  const { Application, Caller, seen, events } = applicationOf(prefix, broker, Client);

  const strategy = new Server({
    client: { brokers: [broker], clientId: prefix },
    consumer: { groupId: prefix, retry: { initialRetryTime: 50 } },
    subscribe: { fromBeginning: true },
  });
  const hooks = strategy as unknown as Partial<Hooks>;
  const processed = { started: 0, ended: 0, contexts: 0, kafka: 0 };
  hooks.setOnProcessingStartHook?.((transportId, context, done) => {
    processed.started += 1;
    if (context instanceof KafkaContext) processed.contexts += 1;
    if (transportId === Transport.KAFKA) processed.kafka += 1;
    void done();
  });
  hooks.setOnProcessingEndHook?.(() => {
    processed.ended += 1;
  });

  const app = await NestFactory.createMicroservice(Application, { strategy, logger: false });
  await app.listen();
  const { client } = app.get(Caller);
  const dispatched: string[] = [];
  const clientHooks = client as unknown as Partial<Hooks>;
  clientHooks.setOnDispatchHook?.(({ pattern }) => dispatched.push(String(pattern).slice(prefix.length + 1)));

  const ask = (name: string, data: unknown): Promise<unknown> =>
    firstValueFrom(client.send<unknown, unknown>(`${prefix}.${name}`, data));
  const tell = (name: string, data: unknown): Promise<unknown> =>
    firstValueFrom(client.emit<unknown, unknown>(`${prefix}.${name}`, data));

  const sum = await ask('sum', [1, 2, 3]);
  const counted = await firstValueFrom(
    client.send<number, unknown>(`${prefix}.count`, { to: 3 }).pipe(toArray()),
  );
  const refusal: unknown = await ask('refuse', {}).then(
    () => 'no error',
    (error: unknown) => error,
  );
  const retried = await ask('retry', {});
  const greeting = await ask('greet.one', 'Alice');
  await tell('born', { key: 'hero-1', value: { name: 'Alice' }, headers: { colour: 'red' } });
  await tell('flaky', {});
  await tell('seen.one', {});
  await tell('seen.two', {});
  await events.reached;

  const facts = {
    nest: installedVersion('@nestjs/microservices'),
    build: loadedBuilds(),
    kafkajs: resolves('kafkajs'),
    classes: {
      KafkaContext: kafkaNative.KafkaContext === KafkaContext,
      KafkaRetriableException: kafkaNative.KafkaRetriableException === KafkaRetriableException,
      KafkaHeaders: kafkaNative.KafkaHeaders === KafkaHeaders,
      retriableIsRpc: new kafkaNative.KafkaRetriableException('') instanceof RpcException,
      clientIsProxy: client instanceof ClientProxy,
    },
    transportId: strategy.transportId === Transport.KAFKA,
    sum,
    counted,
    refusal,
    filtered: seen.filtered,
    retried,
    retryOffsets: seen.retryOffsets,
    greeting,
    contexts: seen.contexts,
    event: seen.event,
    flakyOffsets: seen.flakyOffsets,
    expressionTopics: seen.topics.toSorted(),
    hasServerHooks: hooks.setOnProcessingStartHook !== undefined,
    hasClientHook: clientHooks.setOnDispatchHook !== undefined,
    dispatched,
    processed,
  };
  // Closes the server and, as the module registered it, the client too.
  await app.close();
  return facts;
}

function installedVersion(name: string): string {
  let folder = dirname(resolver.resolve(name));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}

/** Whether Node's CommonJS loader has loaded this package's CommonJS build. */
function loadedBuilds(): { cjs: boolean } {
  const files = Object.keys(resolver.cache);
  return { cjs: files.some((file) => file.includes(join('nestjs-kafka-native', 'dist', 'cjs') + sep)) };
}

/** The code of the error of resolving a package, or its file. */
function resolves(name: string): string {
  try {
    return resolver.resolve(name);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
