// Many messages with one call of the handler, and what becomes of one that is bad. In a second terminal:
//
//   node target/examples/emit.js example.metrics '{"name":"a"}' '{"name":"b"}' '{"bad":true}' '{"name":"c"}'
//
// The good ones are stored; the bad one alone is tried again, and put aside.

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { BatchPattern, KafkaBatchContext, KafkaBatchError, ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

interface Metric {
  name: string;
  bad?: boolean;
}

@Controller()
class MetricsController {
  @BatchPattern('example.metrics', { maxMessages: 500, maxWait: 200 })
  store(@Payload() metrics: Metric[], @Ctx() context: KafkaBatchContext) {
    const index = metrics.findIndex(({ bad }) => bad);
    const good = index < 0 ? metrics : metrics.slice(0, index);
    // One statement, request or transaction for all of them.
    if (good.length > 0) console.log(`stored ${good.map(({ name }) => name).join(' ')}`);
    if (index < 0) return;
    // What is before it counts; it alone is retried, and what is behind it comes again.
    const { offset } = context.getMessages()[index]!;
    throw new KafkaBatchError(index, new Error(`the metric at ${offset} has no name`));
  }

  @EventPattern<string>('example.metrics.DLT')
  dead(@Payload() metric: Metric) {
    console.log(`dead: ${JSON.stringify(metric)}`);
  }
}

@Module({ controllers: [MetricsController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class MetricsModule {}

async function main() {
  const app = await NestFactory.createMicroservice(MetricsModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-metrics', brokers },
      consumer: { groupId: 'example-metrics' },
      deadLetter: { maxAttempts: 2, backoff: { initialRetryTime: 50 } },
    }),
    logger: ['error'],
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
