import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { ServerKafka, type KafkaContext, type NestKafkaOptions } from 'nestjs-kafka-native';
import { type Options, Rig } from '../delivery/rig';
import { listen } from '../harness/apps';
import { rawProducer } from '../harness/broker';
import { header, Tap, type RawRecord } from '../harness/tap';

/** A delivery as its handler saw it. */
export interface Seen {
  readonly value: string;
  readonly attempt: number;
  /** Where the record is that was delivered. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly at: number;
}

/** Notes a delivery. */
export function note(seen: Seen[], value: string, context: KafkaContext): Seen {
  const delivery = {
    value,
    attempt: context.getDeliveryAttempt(),
    topic: context.getTopic(),
    partition: context.getPartition(),
    offset: Number(context.getMessage().offset),
    at: Date.now(),
  };
  seen.push(delivery);
  return delivery;
}

/** When a record of a retry topic is due. */
export function dueOf(record: RawRecord): number {
  const bytes = Buffer.from(header(record, 'retry_topic-backoff-timestamp') as string, 'latin1');
  return Number(BigInt(`0x${bytes.toString('hex')}`));
}

export const isBad = (value: string): boolean => value.startsWith('bad');
export const failsFirst = (_: string, attempt: number): boolean => attempt === 1;

/** What deliveries were: value, attempt and topic. */
export const summary = (seen: readonly Seen[]): (string | number)[][] =>
  seen.map(({ value, attempt, topic }) => [value, attempt, topic]);

/** Which delivery each was, and in which topic. */
export const attempts = (seen: readonly Seen[]): (string | number)[][] =>
  seen.map(({ attempt, topic }) => [attempt, topic]);

/** A rig whose servers have retry topics. */
export class RetryRig extends Rig {
  /** The retry topic of a wait. */
  retry(delay: number, topic = this.topic): string {
    return `${topic}.retry.${this.group}.${delay}`;
  }

  /** A controller that notes each delivery, and fails those. */
  failing(
    seen: Seen[],
    fails: (value: string, attempt: number) => boolean,
    pattern: string | RegExp = this.topic,
  ): Type {
    @Controller()
    class Events {
      @EventPattern<string>(pattern as string)
      event(@Payload() value: string, @Ctx() context: KafkaContext): void {
        const { attempt } = note(seen, value, context);
        if (fails(value, attempt)) throw new Error(`no ${value}`);
      }
    }
    return Events;
  }

  /** Starts a server with retry topics of these waits. */
  async retrying(
    controllers: Type[],
    delays: number[],
    deadLetter: NestKafkaOptions['deadLetter'] = {},
    extra: Options = {},
  ): Promise<{ close(): Promise<void> }> {
    const options = { ...this.options(extra), deadLetter: { retryTopics: { delays }, ...deadLetter } };
    return this.keep(await listen(new ServerKafka(options) as never, controllers));
  }

  async tap(...topics: string[]): Promise<Tap> {
    return this.keep(await Tap.on(topics));
  }

  /** Writes values, each its own key, wherever their keys say. */
  async send(...values: string[]): Promise<void> {
    const messages = values.map((value) => ({ value, key: value }));
    await (await rawProducer()).send({ topic: this.topic, messages });
  }
}
