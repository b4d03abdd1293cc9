// A server and a client of one application, over `echo` topics below a prefix, for the programs beside this file.
import 'reflect-metadata';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';

export const { KAFKA_BROKERS, PREFIX } = process.env;
Logger.overrideLogger(process.env.KAFKA_TEST_LOGS ? ['log', 'warn', 'error'] : false);

export function optionsOf(prefix, name) {
  return {
    client: { brokers: [KAFKA_BROKERS], clientId: `${prefix}-${name}` },
    consumer: { groupId: `${prefix}-${name}` },
    subscribe: { fromBeginning: true },
  };
}

/** Starts a server that answers `<prefix>.echo` with what `handle` makes of the request. */
export async function startServer(prefix = PREFIX, handle = (value) => value) {
  class Echo {
    echo(value) {
      return handle(value);
    }
  }
  // What the decorators do, without a compiler.
  Payload()(Echo.prototype, 'echo', 0);
  const descriptor = Object.getOwnPropertyDescriptor(Echo.prototype, 'echo');
  MessagePattern(`${prefix}.echo`)(Echo.prototype, 'echo', descriptor);
  Controller()(Echo);
  class AppModule {}
  Module({ controllers: [Echo] })(AppModule);
  const strategy = new ServerKafka(optionsOf(prefix, 'server'));
  const app = await NestFactory.createMicroservice(AppModule, { strategy });
  await app.listen();
  return app;
}

/** Connects a client of that server. */
export async function startClient(prefix = PREFIX) {
  const client = new ClientKafka(optionsOf(prefix, 'client'));
  client.subscribeToResponseOf(`${prefix}.echo`);
  await client.connect();
  return { close: () => client.close(), ask: (value) => lastValueFrom(client.send(`${prefix}.echo`, value)) };
}

/**
 * Keeps requests in flight, each answer followed by the next request, and calls `after(n)` at the nth answer. Returns what stops it: a
 * client that is closed and asked again would connect again.
 */
export function traffic(client, after, inFlight = 64) {
  let answers = 0;
  let isStopped = false;
  const askOnAndOn = async () => {
    for (;;) {
      if (isStopped) return;
      await client.ask(`request ${answers}`);
      answers += 1;
      after(answers);
    }
  };
  // Closing a client errors what it waits for.
  for (let started = 0; started < inFlight; started++) askOnAndOn().catch(() => undefined);
  return () => {
    isStopped = true;
  };
}

/** A server and a client that exchange requests; resolves at the hundredth answer. */
export async function busy(prefix = PREFIX, handle = undefined) {
  const app = await startServer(prefix, handle);
  const client = await startClient(prefix);
  let stop;
  await new Promise((resolve) => {
    stop = traffic(client, (answers) => answers === 100 && resolve());
  });
  return {
    client,
    close: async () => {
      stop();
      await client.close();
      await app.close();
    },
  };
}
