import { afterAll, describe, expect, it } from 'vitest';
import type { RequestEvent } from 'kafkajs';
import { closeBroker, createTopics, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { startBroker } from '../broker/start.mjs';
import { kafkas } from './pair';

afterAll(closeBroker);

/** What kafkajs's types promise of a request's event, kind by kind. */
const shape = ({ payload, ...event }: RequestEvent): unknown => ({
  event: Object.keys(event).toSorted(),
  payload: Object.entries(payload)
    .map(([name, value]) => `${name}: ${typeof value}`)
    .toSorted(),
});

describe('the REQUEST event', () => {
  it('tells of each request of a producer what kafkajs tells', async () => {
    const topic = unique('requests');
    await createTopics({ [topic]: 1 });
    const seen = { ours: [] as RequestEvent[], stock: [] as RequestEvent[] };
    const pair = kafkas();
    for (const side of ['ours', 'stock'] as const) {
      const producer = pair[side].producer();
      producer.on(producer.events.REQUEST, (event) => void seen[side].push(event));
      await producer.connect();
      const before = Date.now();
      await producer.send({ topic, messages: [{ value: 'a' }] });
      const produce = await until('the request is told of', () =>
        seen[side].find(({ payload }) => payload.apiName === 'Produce'),
      );
      expect(produce.type).toBe('producer.network.request');
      expect(produce.payload).toMatchObject({ apiKey: 0, clientId: 'producer-tests' });
      const { sentAt, duration, size, broker, createdAt, pendingDuration } = produce.payload;
      expect(sentAt).toBeGreaterThanOrEqual(before - 1);
      expect(sentAt + duration).toBeLessThanOrEqual(Date.now() + 1);
      expect(size).toBeGreaterThan(topic.length);
      expect(createdAt + pendingDuration).toBe(sentAt);
      expect(broker).toMatch(/^127\.0\.0\.1:\d+$/);
      await producer.disconnect();
    }
    const named = (name: string) => (side: keyof typeof seen) =>
      shape(seen[side].find(({ payload }) => payload.apiName === name) as RequestEvent);
    for (const name of ['ApiVersions', 'Metadata', 'Produce']) {
      expect(named(name)('ours'), name).toEqual(named(name)('stock'));
    }
    const ids = seen.ours.map(
      ({ payload }) => `${payload.broker} ${payload.correlationId} ${payload.sentAt}`,
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('comes while somebody listens, also for sends of other acks, for one without an answer, and for transactions', async () => {
    const topic = unique('requests');
    await createTopics({ [topic]: 1 });
    const producer = kafkas().ours.producer({ transactionalId: unique('tx') });
    const names: string[] = [];
    await producer.connect();
    const send = (acks: number) => producer.send({ topic, acks, messages: [{ value: 'a' }] });
    await send(1);
    const remove = producer.on(producer.events.REQUEST, ({ payload }) => void names.push(payload.apiName));
    const produced = (count: number) =>
      until(`${count} are told of`, () => names.filter((name) => name === 'Produce').length === count);
    for (const [index, acks] of [1, -1, 0].entries()) {
      await send(acks);
      await produced(index + 1);
    }
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: 'b' }] });
    await transaction.commit();
    await until('its end is told of', () => names.includes('EndTxn'));
    expect(names).toEqual(expect.arrayContaining(['InitProducerId', 'AddPartitionsToTxn']));
    await produced(4);
    remove();
    const before = names.length;
    await send(1);
    await producer.disconnect();
    expect(names).toHaveLength(before);
  });

  it('tells of an admin client’s requests', async () => {
    const seen = { ours: [] as string[], stock: [] as string[] };
    const pair = kafkas();
    for (const side of ['ours', 'stock'] as const) {
      const admin = pair[side].admin();
      admin.on(admin.events.REQUEST, ({ payload }) => void seen[side].push(payload.apiName));
      await admin.connect();
      await admin.deleteGroups([unique('none')]).catch(() => undefined);
      await until('it is told of', () => seen[side].includes('DeleteGroups'));
      await admin.disconnect();
    }
  });
});

describe('the REQUEST_TIMEOUT event', () => {
  it('tells of a request that a broker does not answer', async () => {
    await using broker = await startBroker();
    const topic = unique('timeout');
    const { ours, stock } = kafkas({ brokers: [broker.brokers], requestTimeout: 2000 });
    const seen = { ours: [] as unknown[], stock: [] as unknown[] };
    const producers = { ours: ours.producer(), stock: stock.producer() };
    const send = (side: keyof typeof seen, timeout = 500) =>
      producers[side].send({ topic, timeout, messages: [{ value: 'a' }] });
    for (const side of ['ours', 'stock'] as const) {
      await producers[side].connect();
      await send(side, 30_000);
      producers[side].on('producer.network.request_timeout', ({ type, payload }) => {
        seen[side].push({ type, keys: Object.keys(payload).toSorted(), broker: payload.broker });
      });
    }
    await broker.kill('SIGSTOP');
    // The signal is under way: a first send may still be answered.
    const stalled = (side: keyof typeof seen) =>
      until(`${side} tells`, async () => {
        await send(side).catch(() => undefined);
        return seen[side].length > 0;
      });
    await Promise.all([stalled('ours'), stalled('stock')]);
    await broker.kill('SIGCONT');
    expect(seen.ours[0]).toEqual(seen.stock[0]);
    expect(seen.ours[0]).toMatchObject({ type: 'producer.network.request_timeout', broker: broker.brokers });
    await Promise.all(Object.values(producers).map((producer) => producer.disconnect()));
  });
});
