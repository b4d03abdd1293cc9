/**
 * Checked by the compiler alone: where an application declares kafkajs's types, or NestJS's copy of them, this package's clients may
 * stand, without a cast.
 */
import type * as nest from '@nestjs/microservices/external/kafka.interface.js';
import type * as kafkajs from 'kafkajs';
import * as native from 'nestjs-kafka-native';

/** Compiles if an `Ours` may stand for a `Theirs`. */
type Stands<Ours extends Theirs, Theirs> = Ours;

/** kafkajs's own types. */
export type InKafkajs = [
  Stands<native.Consumer, kafkajs.Consumer>,
  Stands<native.Producer, kafkajs.Producer>,
  Stands<native.Admin, kafkajs.Admin>,
  Stands<native.Kafka, kafkajs.Kafka>,
  Stands<typeof native.PartitionAssigners, typeof kafkajs.PartitionAssigners>,
  Stands<typeof native.AssignerProtocol, typeof kafkajs.AssignerProtocol>,
  // Either way: functions of kafkajs's type are given to this package, and those of ours to kafkajs.
  Stands<native.PartitionAssigner, kafkajs.PartitionAssigner>,
  Stands<kafkajs.PartitionAssigner, native.PartitionAssigner>,
  Stands<native.EachBatchPayload, kafkajs.EachBatchPayload>,
  Stands<native.EachMessagePayload, kafkajs.EachMessagePayload>,
  Stands<native.GroupDescription, kafkajs.GroupDescription>,
];

/** NestJS's copy of them. */
export type InNest = [
  Stands<native.Consumer, nest.Consumer>,
  Stands<native.Producer, nest.Producer>,
  Stands<native.Admin, nest.Admin>,
  Stands<native.Kafka, nest.Kafka>,
];

/** What an application wrote for kafkajs is taken. */
export async function application(
  config: kafkajs.KafkaConfig,
  consumerConfig: kafkajs.ConsumerConfig,
  producerConfig: kafkajs.ProducerConfig,
  runConfig: kafkajs.ConsumerRunConfig,
  subscription: kafkajs.ConsumerSubscribeTopics,
  record: kafkajs.ProducerRecord,
): Promise<void> {
  const kafka: kafkajs.Kafka = new native.Kafka(config);
  const consumer: kafkajs.Consumer = kafka.consumer(consumerConfig);
  const producer: kafkajs.Producer = kafka.producer(producerConfig);
  const admin: nest.Admin = new native.Kafka(config).admin();
  await consumer.subscribe(subscription);
  await consumer.run(runConfig);
  await producer.send(record);
  await admin.listTopics();
  const ours: native.Consumer = new native.Kafka(config).consumer(consumerConfig);
  ours.on(ours.events.GROUP_JOIN, ({ payload }) => payload.memberAssignment);
  ours.on('consumer.statistics', ({ payload }) => payload.brokers);
}
