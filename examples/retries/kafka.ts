import { MockKafka } from 'nestjs-kafka-native/testing';

/** `KAFKA_BROKERS`, else an embedded broker, so that the example needs nothing that runs. */
export const kafka = start();

function start() {
  const { KAFKA_BROKERS } = process.env;
  if (KAFKA_BROKERS !== undefined) {
    return { brokers: KAFKA_BROKERS.split(','), consumerOptions: {}, stop: async () => undefined };
  }
  // It makes no topics for others: those that a real one would be asked for are there from the start.
  const retry = 'example.mails.retry.example-mails-server';
  const embedded = MockKafka.start({
    topics: { 'example.mails': 1, [`${retry}.500`]: 1, [`${retry}.2000`]: 1 },
  });
  return {
    brokers: embedded.brokers,
    consumerOptions: MockKafka.consumerOptions,
    stop: () => embedded.stop(),
  };
}
