import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { type Producer, ServerKafka } from 'nestjs-kafka-native';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { listen, optionsFor, startClient } from '../harness/apps';
import { closeBroker, createTopics, kafka, rawProducer, unique, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { outcome } from '../harness/outcome';
import { header, Tap } from '../harness/tap';
import type { TransportOptions } from '../harness/transports';
import { until } from '../harness/wait';

const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});
afterAll(closeBroker);

interface Failure {
  topic: string;
  partition: number | null;
  message: string;
  lost: { topic: string; partition: number; offset: string; comesAgain: boolean } | null;
}

/** A server of a topic with one partition, whose reply topic has one too. */
class Rig {
  readonly handled: unknown[] = [];
  readonly failures: Failure[] = [];
  readonly name = unique('lost');
  readonly replies = `${this.name}.reply`;

  static async started(options: TransportOptions = {}, initialRetryTime = 50): Promise<Rig> {
    const rig = new Rig();
    await createTopics({ [rig.name]: 1, [rig.replies]: 1 });
    const { handled } = rig;
    @Controller()
    class Answering {
      @MessagePattern<string>(rig.name)
      answer(@Payload() data: unknown): unknown {
        handled.push(data);
        return data;
      }
    }
    const strategy = new ServerKafka(
      optionsFor(rig.name, {
        ...options,
        subscribe: { fromBeginning: true },
        consumer: { groupId: rig.name, retry: { initialRetryTime } },
      }) as never,
    );
    open.push(await listen(strategy, [Answering]));
    const [, , producer] = strategy.unwrap<[unknown, unknown, Producer]>();
    producer.on('producer.reply_failed', ({ payload }) => void rig.failures.push(payload));
    return rig;
  }

  /** Requests, in one batch, whose replies are to go to a partition. */
  async request(partition: number, ...values: string[]): Promise<void> {
    const messages = values.map((value) => ({
      value,
      headers: {
        kafka_correlationId: value,
        kafka_replyTopic: this.replies,
        kafka_replyPartition: String(partition),
      },
    }));
    await (await rawProducer()).send({ topic: this.name, messages });
  }

  logged(part: string): string[] {
    return logs.matching('error', part).filter((text) => text.includes(this.replies));
  }
}

describe('a reply that is lost, and the error in its place too', () => {
  test('is told of each time, its request is handled again a few times, and others go on', async () => {
    const rig = await Rig.started();
    await rig.request(7, 'astray');
    await until('the request has come to its end', () => rig.logged('counts as handled').length > 0);
    expect(rig.handled).toEqual(['astray', 'astray', 'astray', 'astray']);
    const text = `A reply to ${rig.replies} [7] could not be sent: Local: Unknown partition, nor could an error in its place: message 0 of ${rig.name} [0]`;
    expect(rig.logged(`${text} will be handled again`)).toHaveLength(3);
    expect(rig.logged(`${text} counts as handled, and its client is left without an answer`)).toHaveLength(1);
    const failure = (comesAgain: boolean): unknown => ({
      topic: rig.replies,
      partition: 7,
      code: -190,
      message: 'Local: Unknown partition',
      lost: { topic: rig.name, partition: 0, offset: '0', comesAgain },
    });
    await until('the last one is told of', () => rig.failures.length >= 4);
    expect(rig.failures).toEqual([failure(true), failure(true), failure(true), failure(false)]);
    await untilCommitted(`${rig.name}-server`, rig.name, 1);

    // For a while that partition is not waited for again.
    await rig.request(7, 'astray too');
    await until('it has come to its end', () => rig.logged('counts as handled').length > 1);
    expect(rig.handled.slice(4)).toEqual(['astray too']);
    const client = await startClient('native', [rig.name], optionsFor(rig.name));
    open.push(client);
    expect(await outcome(client.send(rig.name, 'well addressed'))).toMatchObject({
      values: ['well addressed'],
    });
    await untilCommitted(`${rig.name}-server`, rig.name, 3);
  });

  test('is sent after all when its partition has appeared meanwhile', async () => {
    const rig = await Rig.started({}, 1500);
    await rig.request(0, 'first');
    await until('the first is answered', () => rig.handled.length > 0);
    await rig.request(3, 'early');
    await until('the request is to come again', () => rig.logged('will be handled again').length > 0);
    const admin = kafka.admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic: rig.replies, count: 4 }] });
    // Before the tap looks: it looks once.
    await until('brokers tell of the new partition', async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [rig.replies] });
      return topics[0]?.partitions.length === 4;
    });
    await admin.disconnect();
    const tap = await Tap.on([rig.replies]);
    open.push(tap);
    const records = await tap.read(rig.replies, 2);
    const early = records.find((record) => header(record, 'kafka_correlationId') === 'early');
    expect(early).toMatchObject({ partition: 3, value: 'early' });
    expect(rig.logged('counts as handled')).toEqual([]);
    await untilCommitted(`${rig.name}-server`, rig.name, 2);
  });

  test('is sent after all when the queue of the producer was full', async () => {
    const rig = await Rig.started({
      producer: { librdkafka: { 'queue.buffering.max.messages': 5 } },
    } as TransportOptions);
    const values = Array.from({ length: 40 }, (_, number) => `request-${number}`);
    await rig.request(0, ...values);
    const tap = await Tap.on([rig.replies]);
    open.push(tap);
    await until('all are answered', async () => {
      const records = await tap.read(rig.replies, 1);
      const answered = new Set(records.map((record) => header(record, 'kafka_correlationId')));
      return answered.size === values.length;
    });
    expect(rig.failures.map(({ lost }) => lost?.comesAgain)).toContain(true);
    expect(rig.logged('counts as handled')).toEqual([]);
    await untilCommitted(`${rig.name}-server`, rig.name, values.length);
  });
});
