import { MockKafka } from 'nestjs-kafka-native/testing';

/** `KAFKA_BROKERS`, else an embedded broker, so that the example needs nothing that runs. */
export const kafka = start();

function start() {
  const { KAFKA_BROKERS } = process.env;
  if (KAFKA_BROKERS !== undefined) {
    return { brokers: KAFKA_BROKERS.split(','), consumerOptions: {}, stop: async () => undefined };
  }
  const embedded = MockKafka.start();
  return {
    brokers: embedded.brokers,
    consumerOptions: MockKafka.consumerOptions,
    stop: () => embedded.stop(),
  };
}
