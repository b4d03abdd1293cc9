import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, type KafkaContext, Payload } from '@nestjs/microservices';
import { ServerKafka, type KafkaContext as NativeContext } from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { listen, optionsFor } from '../harness/apps';
import { closeBroker, committed, rawProducer, unique } from '../harness/broker';
import { openGates } from '../harness/wait';

/** Options of our transport, which has more than stock's. */
export type Options = any;

export interface Running {
  server: any;
  statuses: string[];
  close(): Promise<void>;
}

type Handle = (data: string, context: KafkaContext) => unknown;

/** What each test file has: a topic per test, servers that are closed after it, and eyes on the broker. */
export class Rig {
  topic = '';
  private readonly open: { close(): Promise<unknown> }[] = [];

  constructor(name: string) {
    beforeEach(() => {
      this.topic = unique(name);
    });
    afterEach(async () => {
      openGates();
      await Promise.all(this.open.splice(0).map((each) => each.close()));
    });
    afterAll(closeBroker);
  }

  get group(): string {
    return `${this.topic}-server`;
  }

  /** Closed after the test, whatever becomes of it. */
  keep<T extends { close(): Promise<unknown> }>(each: T): T {
    this.open.push(each);
    return each;
  }

  /** A controller whose one event handler is `handle`. */
  events(handle: Handle, topic = this.topic): Type {
    @Controller()
    class Events {
      @EventPattern<string>(topic)
      event(@Payload() data: string, @Ctx() context: KafkaContext): unknown {
        return handle(data, context);
      }
    }
    return Events;
  }

  options(extra: Options = {}): Options {
    return { subscribe: { fromBeginning: true }, ...optionsFor(this.topic, extra) };
  }

  /** Starts a server of one controller, of several, or of one event handler. */
  async serve(what: Type | Type[] | Handle, extra: Options = {}): Promise<Running> {
    const isHandle = !Array.isArray(what) && !/^class\b/.test(Function.prototype.toString.call(what));
    const controllers = isHandle ? [this.events(what as Handle)] : ([what].flat() as Type[]);
    const server = new ServerKafka(this.options(extra));
    const statuses: string[] = [];
    server.status.subscribe((status: string) => statuses.push(status));
    const running = await listen(server as never, controllers);
    return this.keep({ server, statuses, close: () => running.close() });
  }

  /** Writes values, each `partition:text`, to their partitions, in order. */
  async write(...values: string[]): Promise<void> {
    const messages = values.map((value) => ({ partition: Number(value.split(':')[0]), value }));
    await (await rawProducer()).send({ topic: this.topic, messages });
  }

  committed(): Promise<Record<number, number>> {
    return committed(this.group, this.topic);
  }
}

/** `partition:0` and so on. */
export function numbered(partition: number, count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `${partition}:${from + index}`);
}

/** Which delivery a handler got. */
export function attemptOf(context: KafkaContext): number {
  return (context as NativeContext).getDeliveryAttempt();
}

/** The consumer of a running server. */
export function consumerOf({ server }: Running): any {
  return server.unwrap()[1];
}

/** Resolves with the payload of a consumer's next event of this name. */
export function nextEvent(running: Running, name: string): Promise<any> {
  return new Promise((resolve) => {
    const off = consumerOf(running).on(name, (event: { payload: unknown }) => {
      off();
      resolve(event.payload);
    });
  });
}

/** Short waits between deliveries. */
export const SOON = { initialRetryTime: 20, maxRetryTime: 50, retries: 100 };
