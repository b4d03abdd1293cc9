import { ClientKafka } from 'nestjs-kafka-native';
import { KafkaHealthIndicator } from 'nestjs-kafka-native/terminus';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { BROKERS, closeBroker, createTopics, kafka as stock } from '../harness/broker';
import { Gate, openGates, pause, until } from '../harness/wait';
import { open, send, start } from './probed';

afterEach(async () => {
  openGates();
  for (const close of open.splice(0).toReversed()) await close();
});
afterAll(closeBroker);

const BACK_OFF = { retries: 0, initialRetryTime: 50, maxRetryTime: 50 };

describe('O5 health', () => {
  test('what runs is up, for each probe, and says what it does', async () => {
    const { probe, group, topic } = await start(() => undefined);
    for (const name of ['startup', 'readiness', 'liveness'] as const) {
      const { status, body } = await probe({
        probe: name,
        ...(name === 'readiness' && { requireAssignment: true }),
      });
      expect(status).toBe(200);
      const { consumers, producers } = body.details.kafka;
      const clientId = `${topic}-server`;
      expect(consumers).toEqual([
        { groupId: group, clientId, state: 'running', since: expect.any(String), partitions: 1, lag: 0 },
      ]);
      expect(producers).toEqual([{ clientId }]);
    }
  });

  test('clients are asked too, and are forgotten when they close', async () => {
    const { probe, topic } = await start(() => undefined);
    await createTopics({ [`${topic}.ask.reply`]: 1 });
    const client = new ClientKafka({
      client: { brokers: BROKERS, clientId: 'asking' },
      consumer: { groupId: topic },
    });
    client.subscribeToResponseOf(`${topic}.ask`);
    await client.connect();
    const groups = async (): Promise<string[]> => {
      const { body } = await probe();
      return body.details.kafka.consumers.map(({ groupId }: { groupId: string }) => groupId).toSorted();
    };
    expect(await groups()).toEqual([`${topic}-client`, `${topic}-server`]);
    // Of replies nothing is tracked, those of others among them: they neither lag nor stand still.
    await send(`${topic}.ask.reply`, 'a', 'b', 'c');
    await pause(500);
    expect((await probe({ maxLag: 0, maxStall: 1 })).status).toBe(200);
    expect((await probe({ probe: 'liveness', maxStall: 1 })).status).toBe(200);
    const producerOnly = new ClientKafka({ client: { brokers: BROKERS }, producerOnlyMode: true });
    await producerOnly.connect();
    expect((await probe()).status).toBe(200);
    await client.close();
    await producerOnly.close();
    expect(await groups()).toEqual([`${topic}-server`]);
    expect((await probe()).body.details.kafka.producers).toHaveLength(1);
  });

  test('a handler that never returns: down by maxStall, with partition and since when', async () => {
    const gate = new Gate();
    const { probe, topic } = await start(() => gate.pass());
    await send(topic, 'a', 'b');
    const stalled = await until('it is down', async () => {
      const answer = await probe({ probe: 'liveness', maxStall: 300 });
      return answer.status === 503 && answer;
    });
    const { message, problems } = stalled.body.details.kafka;
    expect(message).toMatch(/handles nothing of .* \[0\] at .* \(2 in hand\), since 20/);
    expect(problems).toEqual([
      { text: message, clientId: `${topic}-server`, groupId: `${topic}-server`, since: expect.any(String) },
    ]);
    expect((await probe({ probe: 'liveness' })).status).toBe(200);
    gate.open();
    await until(
      'it is up again',
      async () => (await probe({ probe: 'liveness', maxStall: 300 })).status === 200,
    );
  });

  test('a consumer that lags: down by maxLag, for readiness', async () => {
    const gate = new Gate();
    const { probe, topic } = await start(() => gate.pass());
    await send(topic, ...Array.from({ length: 10 }, (_, i) => String(i)));
    const lagging = await until('it is down', async () => {
      const answer = await probe({ maxLag: 5 });
      return answer.status === 503 && answer;
    });
    expect(lagging.body.details.kafka.message).toMatch(/has 10 messages to handle, more than 5/);
    expect((await probe({ maxLag: 10 })).status).toBe(200);
    gate.open();
    await until('it is up again', async () => (await probe({ maxLag: 5 })).status === 200);
  });

  test('a consumer that has crashed and does not start again: down for all probes', async () => {
    const { probe, topic } = await start(
      () => {
        throw new Error('unusable');
      },
      { consumer: { retry: { ...BACK_OFF, restartOnFailure: async () => false } } },
    );
    await send(topic, 'a');
    await until('it is down', async () => (await probe({ probe: 'liveness' })).status === 503);
    for (const name of ['startup', 'readiness', 'liveness'] as const) {
      const { status, body } = await probe({ probe: name });
      expect(status).toBe(503);
      expect(body.details.kafka.message).toMatch(/has crashed and does not start again: .*, since 20/);
    }
  });

  test('a consumer that crashes and starts again: alive, and not ready meanwhile', async () => {
    let fails = true;
    const { probe, topic } = await start(
      () => {
        if (fails) throw new Error('for now');
      },
      { consumer: { retry: { ...BACK_OFF, initialRetryTime: 1500, maxRetryTime: 1500 } } },
    );
    await send(topic, 'a');
    const down = await until('it is down', async () => {
      const answer = await probe();
      return answer.status === 503 && answer;
    });
    expect(down.body.details.kafka.message).toMatch(/is (restarting|disconnected|connecting)/);
    expect((await probe({ probe: 'liveness' })).status).toBe(200);
    expect((await probe({ probe: 'startup' })).status).toBe(200);
    fails = false;
    await until('it is up again', async () => (await probe()).status === 200);
  });

  test('a rebalance: ready, and a member without a partition only where one is required', async () => {
    const { probe, group, topic } = await start(() => undefined);
    const seen = new Set<number>();
    const polling = { goesOn: true };
    const polled = (async () => {
      while (polling.goesOn) seen.add((await probe()).status);
    })();
    const other = stock.consumer({ groupId: group });
    await other.connect();
    open.push(() => other.disconnect());
    await other.subscribe({ topics: [topic] });
    await other.run({ eachMessage: async () => undefined });
    await until('one of the two has no partition', async () => {
      const [{ partitions, state }] = (await probe()).body.details.kafka.consumers;
      if (state === 'running' && partitions === 0) return true;
      // The other one has none: that settles it as well.
      return (
        state === 'running' && seen.size > 0 && (await probe({ requireAssignment: true })).status === 200
      );
    });
    polling.goesOn = false;
    await polled;
    expect([...seen]).toEqual([200]);
    const [{ partitions }] = (await probe()).body.details.kafka.consumers;
    expect((await probe({ requireAssignment: true })).status).toBe(partitions === 0 ? 503 : 200);
  });

  test(
    'brokers that are gone: alive, not ready, and ready again when they are back',
    { timeout: 180_000 },
    async () => {
      const broker = await startBroker();
      open.push(() => broker.dispose());
      const { probe, topic } = await start(() => undefined, { brokers: [broker.brokers] });
      expect((await probe()).status).toBe(200);
      await broker.kill();
      const down = await until('it is down', async () => {
        const answer = await probe({ timeout: 300 });
        return answer.status === 503 && answer;
      });
      expect(down.body.details.kafka.problems[0].text).toMatch(
        /^no broker has answered (consumer|producer) .* within 300 ms/,
      );
      expect((await probe({ probe: 'liveness', maxStall: 1 })).status).toBe(200);
      expect((await probe({ probe: 'startup' })).status).toBe(200);
      await broker.restart();
      await until('it is up again', async () => (await probe()).status === 200, 90_000);
      expect(topic).toBeTruthy();
    },
  );

  test('options that are wrong, unknown or of another probe are refused by name', async () => {
    const indicator = new KafkaHealthIndicator({ check: () => ({}) } as never);
    const refusal = async (options: object): Promise<string> => {
      try {
        await indicator.isHealthy('kafka', options);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(await refusal({ probe: 'ready' })).toMatch(
      /probe .* one of readiness, liveness, startup; received ready/,
    );
    expect(await refusal({ maxLags: 1 })).toMatch(/no option maxLags: there are probe, maxLag/);
    expect(await refusal({ probe: 'liveness', maxLag: 1 })).toMatch(
      /maxLag .* for the probe readiness, not for liveness/,
    );
    expect(await refusal({ maxLag: '1' })).toMatch(/maxLag .* must be a number, 0 or more; received 1/);
    expect(await refusal({ groups: 'a' })).toMatch(/groups .* array/);
  });
});
