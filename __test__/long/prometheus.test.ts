import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, Kafka, logLevel } from 'nestjs-kafka-native';
import { registerKafkaMetrics } from 'nestjs-kafka-native/prometheus';
import { Registry } from 'prom-client';
import { firstValueFrom } from 'rxjs';
import { afterAll, expect, test } from 'vitest';
import { startServer } from '../harness/apps';
import { BROKERS, closeBroker, committed, createTopics, endOffsets, unique } from '../harness/broker';
import { QUICK } from '../harness/dead-letters';
import { Gate, pause, until } from '../harness/wait';
import { ROOT } from '../package-consumers/install';

// A real Prometheus scrapes an application under load; each query of the dashboard is put to it. With PICTURE in the environment,
// a topic's name, the load lasts longer, and the guide's picture of the dashboard is drawn of it.

const { PICTURE } = process.env;
/** How long the load lasts, in milliseconds. */
const LOAD = PICTURE ? 100_000 : 20_000;
/** The time between two scrapes, in seconds. */
const SCRAPE = PICTURE ? 1 : 3;
/** What Grafana puts in the place of `$__rate_interval`: some scrapes, of which those of a busy moment may be missing. */
const RATE_INTERVAL = `${SCRAPE * 15}s`;
/** What did not happen has no series. */
const MAY_BE_EMPTY = /commit_failures|timeouts|lost|failures_total|filtered/;

interface Series {
  metric: Record<string, string>;
  value: [time: number, value: string];
}

interface Panel {
  title: string;
  targets: { expr: string }[];
}

/** Prometheus of the system, installed where it can be. */
function prometheusBinary(): string {
  const found = spawnSync('prometheus', ['--version']);
  if (found.error === undefined) return 'prometheus';
  const install = 'apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus';
  try {
    execFileSync('sh', ['-c', install], { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  } catch (cause) {
    throw new Error(`This test needs Prometheus, and could not install it: ${install}`, { cause });
  }
  return 'prometheus';
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

function drawDashboard(port: number, began: number): void {
  const range = ['--from', String(began / 1000 + 10), '--to', String(Date.now() / 1000)];
  const program = join(ROOT, 'scripts/dashboard-picture.mjs');
  execFileSync(process.execPath, [program, '--prometheus', `http://127.0.0.1:${port}`, ...range]);
}

afterAll(closeBroker);

test(
  'O4 Prometheus scrapes it, its lag is the broker’s, and each query of the dashboard finds something',
  { timeout: 10 * 60_000 },
  async () => {
    const binary = prometheusBinary();
    const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
    const registry = new Registry();
    const metrics = registerKafkaMetrics(registry);
    const scraped = createServer(async (_, response) => {
      response.setHeader('content-type', registry.contentType);
      response.end(await registry.metrics());
    });
    const [target, port] = [await listening(scraped), await freePort()];
    writeFileSync(
      join(folder, 'prometheus.yml'),
      // A scrape may take as long as there is between two, so that on a busy machine none is given up.
      `scrape_configs: [{ job_name: app, scrape_interval: ${SCRAPE}s, scrape_timeout: ${SCRAPE}s, static_configs: [{ targets: ['127.0.0.1:${target}'] }] }]`,
    );
    const prometheus: ChildProcess = spawn(
      binary,
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    const query = async (expr: string): Promise<Series[]> => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`);
      const { status, data, error } = (await answer.json()) as {
        status: string;
        data: { result: Series[] };
        error?: string;
      };
      if (status !== 'success') throw new Error(`${expr}: ${error}`);
      return data.result;
    };

    const topic = PICTURE ?? unique('load');
    const asked = `${topic}.asked`;
    await createTopics({ [topic]: 3, [`${topic}.DLT`]: 1, [asked]: 1, [`${asked}.reply`]: 1 });
    let held: Gate | undefined;
    @Controller()
    class Handlers {
      @EventPattern<string>(topic)
      async event(@Payload() value: string): Promise<void> {
        await held?.pass();
        if (value === 'bad') throw new Error('bad');
        await pause(5);
      }

      @MessagePattern(asked)
      answer(@Payload() value: string): string {
        return value;
      }
    }
    const options = { client: { brokers: BROKERS, clientId: topic }, consumer: { groupId: topic } };
    const server = await startServer('native', [Handlers], {
      ...options,
      deadLetter: { maxAttempts: 2, backoff: QUICK },
    } as never);
    const client = new ClientKafka({ ...options, replyTimeout: 30_000 });
    client.subscribeToResponseOf(asked);
    await client.connect();
    const producer = new Kafka({ brokers: BROKERS, clientId: topic, logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    try {
      await until('Prometheus is up', async () => (await query('up').catch(() => [])).length === 1, 60_000);
      // Load for a while: faster than it is handled, so that something waits.
      const began = Date.now();
      while (Date.now() < began + LOAD) {
        const wave = Math.round(150 + 100 * Math.sin((Date.now() - began) / 10_000));
        const messages = Array.from({ length: wave }, (_, i) => ({
          value: i === 0 ? 'bad' : `v${i}`,
        }));
        await producer.send({ topic, messages });
        await firstValueFrom(client.send(asked, 'x'));
        await pause(200);
      }
      if (PICTURE) drawDashboard(port, began);
      const lag = `sum(kafka_consumer_lag{group="${topic}-server",topic="${topic}"})`;
      held = new Gate();
      await producer.send({ topic, messages: [{ value: 'held' }] });
      await until('it lags', async () => Number((await query(lag))[0]?.value[1]) > 0, 60_000);
      held.open();
      const dashboard = JSON.parse(readFileSync(join(ROOT, 'docs/grafana-dashboard.json'), 'utf8')) as {
        panels: Panel[];
      };
      const empty: string[] = [];
      for (const { title, targets } of dashboard.panels) {
        for (const { expr } of targets) {
          const real = expr.replaceAll('$__rate_interval', RATE_INTERVAL).replaceAll('$group', '.*');
          // After a scrape that has failed nothing is found until the next one.
          const isFound = async (): Promise<boolean> => (await query(real)).length > 0;
          const patience = MAY_BE_EMPTY.test(real) ? 0 : 60_000;
          const found = await until('it finds something', isFound, patience).catch(() => false);
          if (!found) empty.push(`${title}: ${real}`);
        }
      }
      expect(empty.filter((line) => !MAY_BE_EMPTY.test(line))).toEqual([]);
      await until('all are handled', async () => Number((await query(lag))[0]?.value[1]) === 0, 5 * 60_000);
      const endOf = await endOffsets(topic);
      for (const partition of [0, 1, 2]) {
        const expr = `kafka_consumer_lag{group="${topic}-server",topic="${topic}",partition="${partition}"}`;
        await until('its lag is the broker’s', async () => {
          const waiting = endOf[partition]! - ((await committed(`${topic}-server`, topic))[partition] ?? 0);
          return Number((await query(expr))[0]?.value[1]) === waiting;
        });
      }
      const total = Object.values(endOf).reduce((sum, end) => sum + end, 0);
      const counted = async (name: string): Promise<number> =>
        Number((await query(`${name}{topic="${topic}"}`))[0]?.value[1]);
      await until(
        'all are counted',
        async () =>
          (await counted('kafka_consumer_handled_total')) +
            (await counted('kafka_consumer_dead_letters_total')) ===
          total,
        60_000,
      );
    } finally {
      held?.open();
      prometheus.kill('SIGKILL');
      await client.close();
      await server.close();
      await producer.disconnect();
      metrics.unregister();
      scraped.close();
      scraped.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
