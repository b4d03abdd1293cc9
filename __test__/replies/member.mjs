// A server or a client in a process of its own, on either transport, told what to do by its parent:
//
//   node member.mjs '{"kind":"native","role":"client","topics":["a"],"options":{…}}'
//
// A server answers each request with what it was sent, after `delay` ms. A client sends requests at a rate until it is told to stop, and
// tells what became of them. Both end by closing, or by being killed.

import 'reflect-metadata';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as stock from '@nestjs/microservices';

/** A request without a reply for so long is lost. */
const LOST_AFTER_MS = 30_000;
const TICK_MS = 20;
/** One request in so many is slow, and one a stream. */
const SLOW_EVERY = 25;
const STREAM_EVERY = 10;
const SLOWEST_MS = 2500;

const { kind, role, topics, options } = JSON.parse(process.argv[2]);
const { ServerKafka, ClientKafka } = kind === 'stock' ? stock : await import('nestjs-kafka-native');
const tell = (message) => process.send(message);
const warnings = [];

Logger.overrideLogger({
  log: () => undefined,
  warn: (text) => warnings.push(String(text)),
  error: (text) => warnings.push(String(text)),
});
// The parent has gone, however it ended.
process.once('disconnect', () => process.exit(1));

async function makeServer() {
  const handled = {};
  class Handlers {
    async answer({ id, client, delay, stream }, context) {
      const partition = `${context.getTopic()}:${context.getPartition()}`;
      handled[partition] = (handled[partition] ?? 0) + 1;
      if (delay) await new Promise((resolve) => setTimeout(resolve, delay));
      return stream ? from([1, 2, 3].map((part) => ({ id, client, part }))) : { id, client };
    }
  }
  const { from } = await import('rxjs');
  const method = Object.getOwnPropertyDescriptor(Handlers.prototype, 'answer');
  for (const topic of topics) {
    const own = { ...method, value: (...args) => Handlers.prototype.answer(...args) };
    Object.defineProperty(Handlers.prototype, topic, own);
    stock.MessagePattern(topic)(Handlers.prototype, topic, own);
    stock.Payload()(Handlers.prototype, topic, 0);
    stock.Ctx()(Handlers.prototype, topic, 1);
  }
  Controller()(Handlers);
  class AppModule {}
  Module({ controllers: [Handlers] })(AppModule);
  const strategy = new ServerKafka(options);
  const app = await NestFactory.createMicroservice(AppModule, { strategy, abortOnError: false });
  await app.listen();
  const [, consumer] = strategy.unwrap();
  const joins = [];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joins.push(payload.memberAssignment));
  return {
    report: async () => ({ handled, joins, warnings }),
    close: () => app.close(),
  };
}

async function makeClient() {
  const made = new ClientKafka(options);
  for (const topic of topics) made.subscribeToResponseOf(topic);
  const assignments = [];
  // For the story of a loss: each join, and where the lost replies were expected and since when.
  const joins = [];
  const losses = [];
  const note = (leads) => {
    assignments.push({ ...made.getConsumerAssignments() });
    joins.push({ at: Date.now(), leads });
  };
  await made.connect();
  note(false);
  made.consumer.on(made.consumer.events.GROUP_JOIN, ({ payload }) => {
    // After every listener of the transport itself.
    setImmediate(note, payload.isLeader);
  });

  const [fast, slow] = topics;
  const outcomes = { sent: 0, answered: 0, lost: 0, failed: {}, wrong: 0, slowest: 0, slowestFast: 0 };
  let pending = 0;
  let ticks;
  let drained;

  const send = () => {
    const id = ++outcomes.sent;
    const isSlow = slow !== undefined && id % SLOW_EVERY === 0;
    const delay = isSlow ? Math.round(Math.random() * SLOWEST_MS) : 0;
    const stream = !isSlow && id % STREAM_EVERY === 0;
    const name = options.client.clientId;
    const started = performance.now();
    const sentAt = Date.now();
    const partition = made.getConsumerAssignments()[`${isSlow ? slow : fast}.reply`];
    const parts = [];
    pending += 1;
    let timer;
    let over = false;
    const end = (what) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      what();
      pending -= 1;
      if (pending === 0) drained?.();
    };
    const subscription = made.send(isSlow ? slow : fast, { id, client: name, delay, stream }).subscribe({
      next: (part) => parts.push(part),
      error: (error) =>
        end(() => {
          const text = `${error?.name ?? ''}: ${error?.message ?? JSON.stringify(error)}`;
          outcomes.failed[text] = (outcomes.failed[text] ?? 0) + 1;
        }),
      complete: () =>
        end(() => {
          const took = performance.now() - started;
          const expected = stream ? 3 : 1;
          const right =
            parts.length === expected && parts.every((part) => part.id === id && part.client === name);
          if (right) outcomes.answered += 1;
          else outcomes.wrong += 1;
          outcomes.slowest = Math.max(outcomes.slowest, took);
          if (!isSlow) outcomes.slowestFast = Math.max(outcomes.slowestFast, took);
        }),
    });
    timer = setTimeout(() => {
      subscription.unsubscribe();
      end(() => {
        outcomes.lost += 1;
        losses.push({ sentAt, partition });
      });
    }, LOST_AFTER_MS);
  };

  return {
    load: async ({ rate }) => {
      let due = 0;
      ticks = setInterval(() => {
        for (due += (rate * TICK_MS) / 1000; due >= 1; due -= 1) send();
      }, TICK_MS);
    },
    stop: async () => {
      clearInterval(ticks);
      if (pending > 0) await new Promise((resolve) => (drained = resolve));
    },
    report: async () => ({ ...outcomes, pending, assignments, joins, losses, warnings }),
    close: () => made.close(),
  };
}

const member = await (role === 'server' ? makeServer() : makeClient());
process.on('message', ({ id, what, args }) => {
  Promise.resolve(member[what](args ?? {})).then(
    (value) => tell({ id, value }),
    (error) => tell({ id, error: String(error?.stack ?? error) }),
  );
});
tell({ ready: true });
