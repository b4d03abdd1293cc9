import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { defer } from 'rxjs';

const QUIET = { logger: ['fatal', 'error', 'warn'] };

/** What `createEventApplication()` makes of a package that has modules and decorators of its own: an application without a transport. */
export function decoratedApplication(kafkaModule, providers) {
  let context;
  return {
    async listen() {
      context = await NestFactory.createApplicationContext(applicationOf(kafkaModule, providers), QUIET);
    },
    async close() {
      await context?.close();
    },
  };
}

/** A client that emits through a provider of such a module, by `send(provider, topic, values)`. */
export function emittingClient(kafkaModule, token, send) {
  let context;
  let provider;
  return {
    async connect() {
      context = await NestFactory.createApplicationContext(applicationOf(kafkaModule, []), QUIET);
      provider = context.get(token, { strict: false });
    },
    emit: (topic, value) => defer(() => send(provider, topic, [value])),
    emitBatch: (topic, { messages }) =>
      defer(() =>
        send(
          provider,
          topic,
          messages.map(({ value }) => value),
        ),
      ),
    async close() {
      await context?.close();
    },
  };
}

function applicationOf(kafkaModule, providers) {
  // oxlint-disable-next-line no-extraneous-class -- what a Nest module is
  class AppModule {}
  Module({ imports: [kafkaModule], providers })(AppModule);
  return AppModule;
}
