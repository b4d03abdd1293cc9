import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { afterAll, expect, test } from 'vitest';
import { startServer } from '../harness/apps';
import { BROKERS, closeBroker, createTopics, endOffsets, rawProducer, unique } from '../harness/broker';
import { until } from '../harness/wait';

// A hundred thousand dead letters go back at a rate while a server handles them; the replay is interrupted, killed, and resumed.

const MAIN = join(import.meta.dirname, '../../dist/esm/command/main.js');
const LETTERS = 100_000;
const RATE = 4000;
/** What is sent together, at this rate: so many are on their way in each of the partitions when the command is killed. */
const TOGETHER = RATE / 10;
const PARTITIONS = 4;
/** Of so many one fails again. */
const FAILING = 100;

afterAll(closeBroker);

async function total(topic: string): Promise<number> {
  return Object.values(await endOffsets(topic)).reduce((sum, end) => sum + end, 0);
}

interface Told {
  replayed: number;
  looping: number;
  interrupted: boolean;
}

test(
  'F3 100,000 dead letters are replayed at a rate, interrupted, killed and resumed: none is lost, and none loops',
  { timeout: 20 * 60_000 },
  async () => {
    const topic = unique('replayed');
    const dead = `${topic}.DLT`;
    await createTopics({ [topic]: PARTITIONS, [dead]: PARTITIONS });
    const producer = await rawProducer();
    for (let from = 0; from < LETTERS; from += 5000) {
      const messages = Array.from({ length: 5000 }, (_, i) => ({
        key: `k${from + i}`,
        value: String(from + i),
        partition: (from + i) % PARTITIONS,
        headers: {
          'kafka_dlt-exception-fqcn': 'TimeoutError',
          'kafka_dlt-exception-message': 'no answer',
          'kafka_dlt-original-topic': topic,
          'kafka_dlt-original-partition': '0',
          'kafka_dlt-original-offset': String(from + i),
        },
      }));
      await producer.send({ topic: dead, messages });
    }
    const handled = new Uint8Array(LETTERS);
    let deliveries = 0;
    @Controller()
    class Events {
      @EventPattern<string>(topic)
      event(@Payload() value: string): void {
        const number = Number(value);
        handled[number] = (handled[number] as number) + 1;
        deliveries++;
        if (number % FAILING === 0) throw new Error('still not');
      }
    }
    const options = { client: { brokers: BROKERS, clientId: topic }, consumer: { groupId: topic } };
    const server = await startServer('native', [Events], {
      ...options,
      deadLetter: { maxAttempts: 1 },
    } as never);
    const line = ['dead-letters', 'replay', dead, '-b', BROKERS.join(','), '--rate', String(RATE), '--json'];

    /** Runs the command; sends the signal when so many have been written. */
    async function replay(signal?: NodeJS.Signals, at = 0): Promise<Told | undefined> {
      const child = spawn(process.execPath, [MAIN, ...line], { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (chunk) => (text += String(chunk)));
      const ended = once(child, 'close');
      if (signal !== undefined) {
        await until('some are replayed', async () => (await total(topic)) >= at, 5 * 60_000);
        child.kill(signal);
      }
      await ended;
      return text === '' ? undefined : (JSON.parse(text) as Told);
    }

    try {
      const began = Date.now();
      const first = await replay('SIGINT', LETTERS / 4);
      expect(first?.interrupted).toBe(true);
      // Interrupted in an orderly way: what it tells of is what is there, and what it goes on behind.
      expect(await total(topic)).toBe(first?.replayed);
      await replay('SIGKILL', LETTERS / 2);
      const killedAt = await total(topic);
      const last = await replay();
      const seconds = (Date.now() - began) / 1000;
      const written = await total(topic);
      await until('all are handled', () => deliveries === written, 5 * 60_000);
      await until('those that fail are put aside', async () => (await total(dead)) > LETTERS);
      const lost = handled.filter((times) => times === 0).length;
      const twice = handled.filter((times) => times > 1).length;
      // Those that fail again are behind the others by now.
      const again = await replay();
      const figures = { seconds, rate: written / seconds, killedAt, written, lost, twice, last, again };
      console.log('F3', JSON.stringify(figures));
      expect(lost).toBe(0);
      expect(Math.max(...handled)).toBeLessThanOrEqual(2);
      expect(twice).toBe(written - LETTERS);
      // Only what was on its way when it was killed.
      expect(twice).toBeLessThanOrEqual(TOGETHER * PARTITIONS);
      expect(written / seconds).toBeLessThanOrEqual(RATE * 1.05);
      // Each that has failed again is left, and written nowhere.
      expect(await total(topic)).toBe(written);
      expect((last?.looping ?? 0) + (again?.looping ?? 0)).toBe((await total(dead)) - LETTERS);
      expect(again?.replayed).toBe(0);
    } finally {
      await server.close();
    }
  },
);
