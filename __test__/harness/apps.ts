import 'reflect-metadata';
import { Module, type INestMicroservice, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ClientKafka, CustomTransportStrategy } from '@nestjs/microservices';
import { BROKERS } from './broker';
import { logs } from './logs';
import { transport, type Kind, type TransportOptions } from './transports';
import { until } from './wait';

export interface RunningServer {
  app: INestMicroservice;
  close(): Promise<void>;
}

/**
 * Options of a server or client that is called `name`, on the broker under test. Stock closes an idle
 * consumer only after its fetch has returned, so the fetch must not wait its default five seconds.
 */
export function optionsFor(name: string, extra: TransportOptions = {}): TransportOptions {
  return {
    ...extra,
    client: { brokers: BROKERS, clientId: name, ...extra.client },
    consumer: { groupId: name, maxWaitTimeInMs: 100, ...extra.consumer },
  };
}

const hasEntries = (object: object): boolean => Object.keys(object).length > 0;

/** A root module of controllers. */
export function moduleOf(controllers: Type[]): Type {
  class AppModule {}
  Module({ controllers })(AppModule);
  return AppModule;
}

/**
 * Starts a microservice with the transport as its strategy. It reads its topics from the beginning: the
 * tests' topics are new, and where "the end" is at the first fetch would be a race.
 */
export async function startServer(
  kind: Kind,
  controllers: Type[],
  options: TransportOptions,
): Promise<RunningServer> {
  const { ServerKafka } = await transport(kind);
  const server = new ServerKafka({ subscribe: { fromBeginning: true }, ...options });
  return listen(server, controllers);
}

/** Starts a microservice on a strategy the test has made. */
export async function listen(strategy: CustomTransportStrategy, controllers: Type[]): Promise<RunningServer> {
  const app = await NestFactory.createMicroservice(moduleOf(controllers), {
    strategy,
    logger: logs,
    abortOnError: false,
  });
  await app.listen();
  return { app, close: () => app.close() };
}

/**
 * Connects a client that awaits replies of `patterns`. Stock starts to read a reply topic wherever its end
 * is at the first fetch and so can miss the first reply; its tests read from the beginning instead. It also connects before it
 * has joined its group, so its reply partitions are waited for here.
 */
export async function startClient(
  kind: Kind,
  patterns: unknown[],
  options: TransportOptions,
): Promise<ClientKafka> {
  const { ClientKafka } = await transport(kind);
  const start: TransportOptions = kind === 'stock' ? { subscribe: { fromBeginning: true } } : {};
  const client = new ClientKafka({ ...start, ...options });
  for (const pattern of patterns) client.subscribeToResponseOf(pattern);
  await client.connect();
  if (kind === 'stock' && patterns.length > 0 && !options.producerOnlyMode) {
    await until('a stock client has a reply partition', () => hasEntries(client.getConsumerAssignments()));
  }
  return client;
}
