import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ClientKafka, Kafka, logLevel, ServerKafka } from 'nestjs-kafka-native';
import { KafkaHealthIndicator } from 'nestjs-kafka-native/terminus';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { BROKERS, closeBroker, createTopics, kafka as stock, unique } from '../harness/broker';
import { Gate, openGates, pause, until, within } from '../harness/wait';
import { open, send, start, startProbes, type Probe } from './probed';

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

/** An address at which nobody listens. */
async function closedPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

/** Asks the three probes; what each has to say. */
async function said(probe: Probe): Promise<Record<'startup' | 'readiness' | 'liveness', string>> {
  const of = async (name: 'startup' | 'readiness' | 'liveness'): Promise<string> => {
    const { status, body } = await probe({ probe: name });
    return status === 200 ? 'up' : body.details.kafka.message;
  };
  return { startup: await of('startup'), readiness: await of('readiness'), liveness: await of('liveness') };
}

const UP = { startup: 'up', readiness: 'up', liveness: 'up' };
const QUIET = { logLevel: logLevel.NOTHING, retry: { retries: 0 } };

describe('O5 health of what is still starting', () => {
  test('a server without a broker: neither started nor ready, while it tries, after that, and until it is closed', async () => {
    const probe = await startProbes();
    const group = unique('health');
    const brokers = [await closedPort()];
    const server = new ServerKafka({
      client: { ...QUIET, brokers, clientId: group, connectionTimeout: 3000 },
      consumer: { groupId: group },
    });
    open.push(() => server.close());
    server.addHandler(group, async () => undefined, true);
    const name = `server ${group}-server of group ${group}-server`;
    const connecting = {
      startup: expect.stringMatching(`^${name} is connecting, since 20`),
      readiness: expect.stringMatching(
        `^(?=.*${name} is connecting, since 20).*producer ${group}-server is connecting`,
      ),
      liveness: 'up',
    };
    const listening = new Promise((resolve) => void server.listen(resolve));
    expect(await said(probe)).toEqual(connecting);
    expect(await listening).toBeInstanceOf(Error);
    const failed = expect.stringMatching(`^${name} could not start: .+, since 20`);
    expect(await said(probe)).toEqual({ startup: failed, readiness: failed, liveness: 'up' });
    const { problems } = (await probe({ groups: [`${group}-server`] })).body.details.kafka;
    expect(problems).toEqual([
      {
        text: failed,
        clientId: `${group}-server`,
        groupId: `${group}-server`,
        since: expect.stringMatching(/^20/),
      },
    ]);
    const again = new Promise((resolve) => void server.listen(resolve));
    expect(await said(probe)).toEqual(connecting);
    await server.close();
    await again;
    expect(await said(probe)).toEqual(UP);
  });

  test('a server that prepares itself, and one that is about to join', async () => {
    const probe = await startProbes();
    const topic = unique('health');
    await createTopics({ [topic]: 1 });
    const [preparing, binding] = [new Gate(), new Gate()];
    let isConnected = false;
    class Slow extends ServerKafka {
      protected override async provisionTopics(): Promise<void> {
        await preparing.pass();
      }
      protected override async bindEvents(consumer: never): Promise<void> {
        isConnected = true;
        await binding.pass();
        await super.bindEvents(consumer);
      }
    }
    const server = new Slow({ client: { brokers: BROKERS, clientId: topic }, consumer: { groupId: topic } });
    open.push(() => server.close());
    server.addHandler(topic, async () => undefined, true);
    const listening = new Promise((resolve) => void server.listen(resolve));
    const name = `server ${topic}-server of group ${topic}-server`;
    const starting = expect.stringMatching(`^${name} is connecting, since 20`);
    await until('the producer is connected', async () => {
      const { readiness } = await said(probe);
      return !readiness.includes('producer');
    });
    expect(await said(probe)).toEqual({ startup: starting, readiness: starting, liveness: 'up' });
    preparing.open();
    await until('the consumer is connected', () => isConnected);
    expect(await said(probe)).toEqual({ startup: starting, readiness: starting, liveness: 'up' });
    binding.open();
    expect(await within('the server', listening)).toBeUndefined();
    expect(await said(probe)).toEqual(UP);
  });

  test('a client without a broker: not ready, and not started if it waits for replies', async () => {
    const probe = await startProbes();
    const group = unique('health');
    const client = { ...QUIET, brokers: [await closedPort()], clientId: group, connectionTimeout: 300 };
    const asking = new ClientKafka({ client, consumer: { groupId: group } });
    asking.subscribeToResponseOf(group);
    open.push(() => asking.close());
    await expect(asking.connect()).rejects.toThrow();
    const failed = expect.stringMatching(
      `^client ${group}-client of group ${group}-client could not start: .+, since 20`,
    );
    expect(await said(probe)).toEqual({ startup: failed, readiness: failed, liveness: 'up' });
    await asking.close();
    const telling = new ClientKafka({ client, producerOnlyMode: true });
    open.push(() => telling.close());
    await expect(telling.connect()).rejects.toThrow();
    const alone = expect.stringMatching(`^client ${group}-client could not start: .+, since 20`);
    expect(await said(probe)).toEqual({ startup: 'up', readiness: alone, liveness: 'up' });
    await telling.close();
    expect(await said(probe)).toEqual(UP);
  });

  test('consumers and producers of KafkaJS’s interface', async () => {
    const probe = await startProbes();
    const topic = unique('health');
    await createTopics({ [topic]: 1 });
    const absent = new Kafka({
      ...QUIET,
      brokers: [await closedPort()],
      clientId: topic,
      connectionTimeout: 300,
    });
    const producer = absent.producer();
    open.push(() => producer.disconnect());
    await expect(producer.connect()).rejects.toThrow();
    const message = expect.stringMatching(`^producer ${topic} could not start: .+, since 20`);
    expect(await said(probe)).toEqual({ startup: 'up', readiness: message, liveness: 'up' });
    await producer.disconnect();
    expect(await said(probe)).toEqual(UP);
    const refused = absent.consumer({ groupId: topic });
    open.push(() => refused.disconnect());
    await expect(refused.connect()).rejects.toThrow();
    const name = `consumer ${topic} of group ${topic}`;
    expect(await said(probe)).toEqual({
      startup: expect.stringMatching(`^${name} has not joined yet: it could not start: .+, since 20`),
      readiness: expect.stringMatching(`^${name} could not start: .+, since 20`),
      liveness: 'up',
    });
    await refused.disconnect();
    expect(await said(probe)).toEqual(UP);
    const consumer = new Kafka({ ...QUIET, brokers: BROKERS, clientId: topic }).consumer({ groupId: topic });
    open.push(() => consumer.disconnect());
    const connecting = consumer.connect();
    expect((await said(probe)).startup).toMatch(`${name} has not joined yet: it is `);
    await connecting;
    // A stand-by, perhaps.
    expect(await said(probe)).toEqual(UP);
    await consumer.subscribe({ topics: [topic] });
    await consumer.run({ eachMessage: async () => undefined });
    expect(await said(probe)).toEqual(UP);
    await consumer.stop();
    expect(await said(probe)).toEqual(UP);
  });

  test('groups that no client has: down, with those that are there', async () => {
    const { probe, group, topic } = await start(() => undefined);
    expect((await probe({ groups: [group] })).status).toBe(200);
    for (const name of ['startup', 'readiness', 'liveness'] as const) {
      const { status, body } = await probe({ probe: name, groups: [topic, group] });
      expect(status).toBe(503);
      const text = `no server or client of group ${topic} is in this process: there are ${group}`;
      expect(body.details.kafka.problems).toEqual([{ text, groupId: topic }]);
    }
  });

  test('a process whose listen() has failed ends by itself', async () => {
    const child = fork(fileURLToPath(new URL('failing-start.mjs', import.meta.url)), [await closedPort()], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    let output = '';
    child.stdout!.on('data', (data) => (output += String(data)));
    const [code] = await within('its end', once(child, 'exit'));
    expect([code, output]).toEqual([0, 'failed\n']);
  });
});
