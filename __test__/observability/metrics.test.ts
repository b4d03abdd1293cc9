import {
  monitorKafkaJSConsumer,
  monitorKafkaJSProducer,
} from '@christiangalsterer/kafkajs-prometheus-exporter';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, Kafka, logLevel, ServerKafka } from 'nestjs-kafka-native';
import { registerKafkaMetrics } from 'nestjs-kafka-native/prometheus';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { Registry } from 'prom-client';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import { Rig } from '../delivery/rig';
import { listen, optionsFor } from '../harness/apps';
import { BROKERS, committed, createTopics, endOffsets, rawProducer } from '../harness/broker';
import { QUICK } from '../harness/dead-letters';
import { Gate, until, within } from '../harness/wait';

const rig = new Rig('metrics');
const undo: (() => void)[] = [];

afterEach(() => {
  for (const each of undo.splice(0)) each();
});

function registered(options?: Parameters<typeof registerKafkaMetrics>[1]): Registry {
  const registry = new Registry();
  const metrics = registerKafkaMetrics(registry, options);
  undo.push(() => metrics.unregister());
  return registry;
}

/** The value of a metric with these labels. */
async function value(registry: Registry, name: string, labels: object): Promise<number | undefined> {
  const metric = await registry.getSingleMetric(name)?.get();
  const wanted = Object.entries(labels);
  return metric?.values.find(
    (one) =>
      !('metricName' in one && /_(bucket|sum)$/.test(String(one.metricName))) &&
      wanted.every(([label, text]) => (one.labels as Record<string, unknown>)[label] === text),
  )?.value;
}

describe('O4 registerKafkaMetrics', () => {
  test('lag, messages in hand and assignments are the broker’s own figures', async () => {
    await createTopics({ [rig.topic]: 2 });
    const registry = registered();
    const gate = new Gate();
    await rig.serve(async (data) => {
      if (data === '0:2') await gate.pass();
    });
    await rig.write('0:0', '0:1', '0:2', '0:3', '0:4', '1:0');
    const client = `${rig.topic}-server`;
    const labels = { group: rig.group, client, topic: rig.topic };
    const lags = async (): Promise<(number | undefined)[]> =>
      Promise.all([0, 1].map((partition) => value(registry, 'kafka_consumer_lag', { ...labels, partition })));
    await until('one partition stands', async () => (await lags()).join() === '3,0');
    const ends = await endOffsets(rig.topic);
    await until('what is done is committed', async () => (await rig.committed())[0] === 2);
    const done = await committed(rig.group, rig.topic);
    expect(await lags()).toEqual([0, 1].map((partition) => ends[partition]! - done[partition]!));
    expect(await value(registry, 'kafka_consumer_in_flight', { ...labels, partition: 0 })).toBe(3);
    expect(await value(registry, 'kafka_consumer_assigned_partitions', { group: rig.group })).toBe(2);
    expect(await value(registry, 'kafka_consumer_running', { group: rig.group })).toBe(1);
    gate.open();
    await until('nothing waits', async () => (await lags()).join() === '0,0');
    expect(
      await value(registry, 'kafka_consumer_handled_total', { group: rig.group, topic: rig.topic }),
    ).toBe(6);
  });

  test('failures, redeliveries, dead letters, rebalances, and labels of one’s own', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const registry = registered({ prefix: 'shop_', labels: { service: 'orders' }, buckets: [1] });
    await rig.serve(
      (data) => {
        if (data === '0:bad') throw new Error('bad');
      },
      { deadLetter: { maxAttempts: 3, backoff: QUICK } },
    );
    await rig.write('0:bad', '0:good');
    const labels = { service: 'orders', group: rig.group, topic: rig.topic };
    await until(
      'all are done',
      async () => (await value(registry, 'shop_consumer_handled_total', labels)) === 1,
    );
    expect(await value(registry, 'shop_consumer_failed_total', labels)).toBe(3);
    expect(await value(registry, 'shop_consumer_redeliveries_total', labels)).toBe(2);
    expect(await value(registry, 'shop_consumer_dead_letters_total', labels)).toBe(1);
    expect(await value(registry, 'shop_consumer_handler_duration_seconds', labels)).toBe(4);
    expect(await value(registry, 'shop_consumer_rebalances_total', { group: rig.group })).toBe(1);
    expect(await value(registry, 'shop_consumer_rebalance_duration_seconds', { group: rig.group })).toBe(1);
    const text = await registry.metrics();
    expect(text).toMatch(/shop_consumer_handler_duration_seconds_bucket\{.*le="1".*\} 4/);
  });

  test('messages that no handler takes, also when the consumer has gone', async () => {
    await createTopics({ [rig.topic]: 1 });
    const registry = registered();
    let handled = 0;
    @Controller()
    class Handlers {
      @EventPattern<string>(rig.topic, { kafka: { headers: { type: 'wanted' } } })
      event(): void {
        handled++;
      }
    }
    const running = await rig.serve(Handlers);
    const types = ['wanted', 'other', 'other', 'wanted', 'other'];
    const messages = types.map((type) => ({ value: 'v', headers: { type } }));
    await (await rawProducer()).send({ topic: rig.topic, messages });
    await until('all are done', async () => (await rig.committed())[0] === 5);
    expect(handled).toBe(2);
    const labels = { group: rig.group, topic: rig.topic };
    expect(await value(registry, 'kafka_consumer_filtered_total', labels)).toBe(3);
    await running.close();
    expect(await value(registry, 'kafka_consumer_filtered_total', labels)).toBe(3);
    // Who registers now counts from now on.
    expect(
      await value(registered({ prefix: 'late_' }), 'late_consumer_filtered_total', labels),
    ).toBeUndefined();
  });

  test('requests: durations, time-outs, and those that wait', async () => {
    const silent = `${rig.topic}.silent`;
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1, [silent]: 1, [`${silent}.reply`]: 1 });
    const registry = registered();
    const gate = new Gate();
    @Controller()
    class Handlers {
      @MessagePattern(rig.topic)
      async answer(@Payload() data: string): Promise<string> {
        if (data === 'slow') await gate.pass();
        if (data === 'failing') throw new Error('no');
        return data;
      }
    }
    await rig.serve(Handlers);
    const options = { ...optionsFor(rig.topic), replyTimeout: 500 };
    const client = rig.keep(new ClientKafka(options as never) as ClientKafka & { close(): Promise<void> });
    for (const topic of [rig.topic, silent]) client.subscribeToResponseOf(topic);
    await client.connect();
    const labels = { client: `${rig.topic}-client`, topic: rig.topic };
    await firstValueFrom(client.send(rig.topic, 'quick'));
    await firstValueFrom(client.send(rig.topic, 'failing')).catch(() => undefined);
    expect(await value(registry, 'kafka_client_request_duration_seconds', labels)).toBe(2);
    const served = { group: rig.group, topic: rig.topic };
    expect(await value(registry, 'kafka_consumer_failed_total', served)).toBe(1);
    const waiting = firstValueFrom(client.send(silent, 'x')).catch(() => undefined);
    const pending = { client: `${rig.topic}-client` };
    await until(
      'one waits',
      async () => (await value(registry, 'kafka_client_pending_requests', pending)) === 1,
    );
    await waiting;
    expect(await value(registry, 'kafka_client_reply_timeouts_total', { ...labels, topic: silent })).toBe(1);
    expect(await value(registry, 'kafka_client_pending_requests', pending)).toBe(0);
  });

  test('of clients and servers with the same names: what they have together', async () => {
    await createTopics({ [rig.topic]: 2, [`${rig.topic}.reply`]: 2 });
    const registry = registered();
    const gate = new Gate();
    @Controller()
    class Handlers {
      @MessagePattern(rig.topic)
      answer(): Promise<void> {
        return gate.pass();
      }
    }
    await Promise.all([rig.serve(Handlers), rig.serve(Handlers)]);
    const clients = [0, 1].map(() => {
      const client = new ClientKafka(optionsFor(rig.topic) as never);
      client.subscribeToResponseOf(rig.topic);
      return rig.keep(client as ClientKafka & { close(): Promise<void> });
    });
    await Promise.all(clients.map((client) => client.connect()));
    const server = { client: `${rig.topic}-server`, group: rig.group };
    const of = (name: string, labels: object): Promise<number | undefined> => value(registry, name, labels);
    await until('both servers run', async () => (await of('kafka_consumer_running', server)) === 2);
    expect(await of('kafka_consumer_expected', server)).toBe(2);
    expect(await of('kafka_consumer_assigned_partitions', server)).toBe(2);
    const client = { client: `${rig.topic}-client` };
    await until('both clients run', async () => (await of('kafka_consumer_running', client)) === 2);
    const replies = clients.map((each) => firstValueFrom(each.send(rig.topic, 'x'), { defaultValue: null }));
    await until('both wait', async () => (await of('kafka_client_pending_requests', client)) === 2);
    gate.open();
    await Promise.all(replies);
    expect(await of('kafka_client_pending_requests', client)).toBe(0);
  });

  test('sends: delivered, failed, and bytes that are not acknowledged', async () => {
    await createTopics({ [rig.topic]: 1 });
    const registry = registered();
    const kafka = new Kafka({ brokers: BROKERS, clientId: rig.topic, logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 0 } });
    await producer.connect();
    rig.keep({ close: () => producer.disconnect() });
    const messages = [{ key: 'ä', value: 'four', headers: { h: ['1', '23'] } }];
    const sent = producer.send({ topic: rig.topic, messages });
    // 2 of the key, 4 of the value, 1 + 1 and 1 + 2 of the header that occurs twice.
    expect(await value(registry, 'kafka_producer_queue_bytes', { client: rig.topic })).toBe(11);
    await sent;
    expect(await value(registry, 'kafka_producer_queue_bytes', { client: rig.topic })).toBe(0);
    const absent = `${rig.topic}.absent`;
    await producer.send({ topic: absent, messages }).catch(() => undefined);
    const labels = { client: rig.topic };
    expect(await value(registry, 'kafka_producer_messages_total', { ...labels, topic: rig.topic })).toBe(1);
    expect(await value(registry, 'kafka_producer_failures_total', { ...labels, topic: absent })).toBe(1);
  });

  test('bytes that are not acknowledged: of requests and replies, too', async () => {
    const asked = `${rig.topic}.asked`;
    const mock = MockKafka.start({ topics: { [asked]: 1, [`${asked}.reply`]: 1 } });
    rig.keep({ close: () => mock.stop() });
    const registry = registered();
    const answering = new Gate();
    @Controller()
    class Handlers {
      @MessagePattern(asked)
      async answer(): Promise<string> {
        await answering.pass();
        return 'nine more';
      }
    }
    const options = {
      client: { brokers: mock.brokers, clientId: rig.topic, logLevel: logLevel.NOTHING },
      consumer: { ...MockKafka.consumerOptions, groupId: rig.topic },
      subscribe: { fromBeginning: true },
    };
    const server = await listen(new ServerKafka(options) as never, [Handlers]);
    rig.keep({ close: () => server.close() });
    const client = new ClientKafka(options);
    client.subscribeToResponseOf(asked);
    await client.connect();
    rig.keep({ close: () => client.close() });
    const queued = (side: string): Promise<number | undefined> =>
      value(registry, 'kafka_producer_queue_bytes', { client: `${rig.topic}-${side}` });
    // A record that is refused so is sent again and again.
    mock.failNext('Produce', 'NOT_ENOUGH_REPLICAS', 100_000);
    const reply = firstValueFrom(client.send(asked, { key: 'key', value: 'ten bytes…' }));
    await until('the request waits', async () => (await queued('client')) === 3 + 12);
    mock.clearFailures('Produce');
    await until('it is acknowledged', async () => (await queued('client')) === 0);
    mock.failNext('Produce', 'NOT_ENOUGH_REPLICAS', 100_000);
    answering.open();
    await until('the reply waits', async () => (await queued('server')) === 9);
    mock.clearFailures('Produce');
    expect(await within('the reply', reply)).toBe('nine more');
    await until('it is acknowledged, too', async () => (await queued('server')) === 0);
  });

  test('unregister: nothing is left in the registry, and nobody is subscribed', async () => {
    const registry = new Registry();
    const metrics = registerKafkaMetrics(registry);
    expect((await registry.getMetricsAsJSON()).length).toBeGreaterThan(15);
    metrics.unregister();
    expect(await registry.getMetricsAsJSON()).toEqual([]);
    registerKafkaMetrics(registry).unregister();
  });
});

test('O4 kafkajs-prometheus-exporter works on our events', async () => {
  await createTopics({ [rig.topic]: 1 });
  const registry = new Registry();
  const kafka = new Kafka({ brokers: BROKERS, clientId: rig.topic, logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: rig.topic });
  const producer = kafka.producer();
  monitorKafkaJSConsumer(consumer as never, registry);
  monitorKafkaJSProducer(producer as never, registry);
  await Promise.all([consumer.connect(), producer.connect()]);
  rig.keep({ close: () => consumer.disconnect() });
  rig.keep({ close: () => producer.disconnect() });
  await consumer.subscribe({ topics: [rig.topic], fromBeginning: true });
  await consumer.run({ eachBatch: async () => undefined });
  await (await rawProducer()).send({ topic: rig.topic, messages: [{ value: 'v' }] });
  await producer.send({ topic: rig.topic, messages: [{ value: 'v' }] });
  await until('the batches are told of', async () => {
    const text = await registry.metrics();
    return (
      /kafka_consumer_batch_.*\} [1-9]/.test(text) && /kafka_producer_request_total\{.*\} [1-9]/.test(text)
    );
  });
});
