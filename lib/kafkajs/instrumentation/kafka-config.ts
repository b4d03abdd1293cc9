/**
 * The method of a `Kafka` that tells its options: shared by both builds, and read by the commands, which look at the
 * objects of an application.
 */
export const KAFKA_CONFIG: unique symbol = Symbol.for('nestjs-kafka-native.kafka-config');
