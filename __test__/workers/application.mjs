// The application of a server and of its worker threads: handlers that say in which thread they run. Without a compiler, so that Node
// itself runs it in a worker.
import 'reflect-metadata';
import { BroadcastChannel, threadId } from 'node:worker_threads';
import { Controller, HttpException, Module } from '@nestjs/common';
import {
  Ctx,
  EventPattern,
  KafkaRetriableException,
  MessagePattern,
  Payload,
  RpcException,
} from '@nestjs/microservices';
import { Idempotent, kafkaHandler, MemoryIdempotencyStore } from 'nestjs-kafka-native';
import { concat, Observable, of, throwError } from 'rxjs';

const CHANNEL = 'workers-test';

const told = new BroadcastChannel(CHANNEL);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
const tell = (what) => told.postMessage({ thread: threadId, ...what });

export class OutOfStock extends Error {
  name = 'OutOfStock';
  article = 'lamp';
}

/** Computes for about a millisecond. */
function compute() {
  const end = performance.now() + 1;
  while (performance.now() < end);
}

/** What the shutdown hook waits for. */
let staying;

const EVENTS = {
  work(data, context) {
    compute();
    tell({ event: data, key: context.getMessage().key, offset: context.getMessage().offset });
  },
  fail() {
    throw new OutOfStock('no lamp left');
  },
  refuse() {
    throw new HttpException('not like this', 422);
  },
  nack(data, context) {
    tell({ event: data, attempt: context.getDeliveryAttempt() });
    if (context.getDeliveryAttempt() < 3) context.nack({ delay: 20 });
  },
  async beat(data, context) {
    await context.getHeartbeat()();
    let refusal = '';
    try {
      context.getConsumer().pause([{ topic: 'any' }]);
    } catch (error) {
      refusal = error.message;
    }
    tell({ event: data, refusal });
  },
  // Is over when it refuses its message.
  late(data, context) {
    setTimeout(async () => {
      const refused = context.nack({ delay: 20 });
      await context.getHeartbeat()();
      tell({ event: data, attempt: context.getDeliveryAttempt(), refused });
    }, 50);
  },
  // Blocks its thread for good.
  block(data) {
    tell({ event: data });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  // Has the application's shutdown hook wait for good.
  stay(data) {
    tell({ event: data });
    staying = new Promise(() => undefined);
  },
  crash(data, context) {
    tell({ event: data, attempt: context.getDeliveryAttempt() });
    if (context.getDeliveryAttempt() === 1) process.exit(7);
  },
};

const REQUESTS = {
  thread: (data) => ({ data, thread: threadId }),
  stream: () => of('one', 'two', 'three'),
  // Ends its thread once the test has seen the first reply.
  endless: () =>
    new Observable((subscriber) => {
      subscriber.next('one');
      const end = new BroadcastChannel('workers-test-end');
      // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has none in Node's types
      end.onmessage = () => process.exit(7);
    }),
  half: () =>
    concat(
      of('one'),
      throwError(() => new RpcException('no more')),
    ),
  error: () => {
    throw new RpcException({ code: 'E_LAMP', message: 'no lamp left' });
  },
  again(data, context) {
    if (context.getDeliveryAttempt() < 2) throw new KafkaRetriableException('not yet');
    return context.getDeliveryAttempt();
  },
  refused(data, context) {
    if (context.getDeliveryAttempt() < 2) context.nack({ delay: 20 });
    return context.getDeliveryAttempt();
  },
  refusedAndThrown(data, context) {
    if (context.getDeliveryAttempt() > 1) return context.getDeliveryAttempt();
    context.nack({ delay: 20 });
    throw new Error('no answer');
  },
  message: (data, context) => ({ seen: { data, ...context.getMessage(), at: context.getPartition() } }),
  bytes: () => ({ value: Buffer.from([0, 1, 2]) }),
  strange: () => ({ value: 'text', headers: { wrong: 7 } }),
};

/** The application of a server and its workers, whose topics begin with `topic`. */
export function applicationOf(topic) {
  class Handlers {
    event(data, context) {
      return EVENTS[data.do](data, context);
    }

    request(data, context) {
      return REQUESTS[data.do](data, context);
    }

    onlySome(data) {
      tell({ event: data, filtered: true });
    }

    once(data, context) {
      tell({ event: data, attempt: context.getDeliveryAttempt() });
      if (context.getDeliveryAttempt() < 2) context.nack({ delay: 20 });
    }

    async onModuleDestroy() {
      await staying;
      tell({ destroyed: true });
    }
  }
  const decorate = (name, decorator) => {
    Payload()(Handlers.prototype, name, 0);
    Ctx()(Handlers.prototype, name, 1);
    decorator(Handlers.prototype, name, Object.getOwnPropertyDescriptor(Handlers.prototype, name));
  };
  decorate('event', EventPattern(`${topic}.events`));
  decorate('request', MessagePattern(`${topic}.requests`));
  decorate('onlySome', EventPattern(`${topic}.events`, kafkaHandler({ headers: { only: 'some' } })));
  const once = Object.getOwnPropertyDescriptor(Handlers.prototype, 'once');
  Idempotent({ key: ({ n }) => `n${n}`, store: new MemoryIdempotencyStore() })(
    Handlers.prototype,
    'once',
    once,
  );
  Object.defineProperty(Handlers.prototype, 'once', once);
  // Its parameters are decorated behind it, as without a compiler they may be.
  decorate('once', EventPattern(`${topic}.events`, kafkaHandler({ headers: { only: 'once' } })));
  Controller()(Handlers);
  class AppModule {}
  Module({ controllers: [Handlers] })(AppModule);
  return AppModule;
}
