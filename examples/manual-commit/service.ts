// Commits when the application says so: here after every third message. In a second terminal:
//
//   node target/examples/emit.js example.readings '{"id":1}' '{"id":2}' '{"id":3}' '{"id":4}'
//
// Stop the service and start it again: 4 comes again, because it was not committed.

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, KafkaContext, Payload } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

const BATCH = 3;

@Controller()
class ReadingsController {
  /** Messages since the last commit, by partition. */
  private readonly uncommitted = new Map<number, number>();

  @EventPattern<string>('example.readings')
  async read(@Payload() reading: { id: string }, @Ctx() context: KafkaContext) {
    const partition = context.getPartition();
    const { offset } = context.getMessage();
    console.log(`reading ${reading.id}`);

    const count = (this.uncommitted.get(partition) ?? 0) + 1;
    this.uncommitted.set(partition, count % BATCH);
    if (count < BATCH) return;
    // The offset to commit is that of the next message.
    const next = String(BigInt(offset) + 1n);
    await context.getConsumer().commitOffsets([{ topic: context.getTopic(), partition, offset: next }]);
    console.log(`committed up to reading ${reading.id}`);
  }
}

@Module({ controllers: [ReadingsController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class ReadingsModule {}

async function main() {
  const app = await NestFactory.createMicroservice(ReadingsModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-readings', brokers },
      consumer: { groupId: 'example-readings' },
      run: { autoCommit: false },
    }),
    logger: ['error', 'warn'],
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
