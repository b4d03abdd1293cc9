// Traces, metrics and health of an application, printed for one order. It runs on an embedded broker, or on KAFKA_BROKERS:
//
//   npm run examples -- observability

import { endedSpans } from './tracing.js';
import { once } from 'node:events';
import { NestFactory } from '@nestjs/core';
import { ServerKafka } from 'nestjs-kafka-native';
import { kafka } from './kafka.js';
import { done, kafkaOptions, ShopModule } from './shop.js';
import { traceTree } from './tree.js';

async function main(id = 'A1') {
  const app = await NestFactory.create(ShopModule, { logger: ['fatal'] });
  app.connectMicroservice({ strategy: new ServerKafka(kafkaOptions) });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();

  const isDone = once(done, id);
  await fetch(`${url}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id, item: 'apple' }),
  });
  await isDone;

  const metrics = await (await fetch(`${url}/metrics`)).text();
  const health = await (await fetch(`${url}/health`)).json();
  await app.close();
  await kafka.stop();

  print('The trace', traceTree(await endedSpans()));
  // Of histograms the sums and counts; the buckets are many.
  print(
    'Metrics, from GET /metrics',
    metrics.split('\n').filter((line) => line.startsWith('kafka_') && !line.includes('_bucket{')),
  );
  print('Health, from GET /health', JSON.stringify(health, null, 2).split('\n'));
}

function print(title: string, lines: readonly string[]) {
  console.log(`\n${title}\n`);
  for (const line of lines) console.log(`  ${line}`);
}

void main(process.argv[2]);
