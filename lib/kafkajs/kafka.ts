import { withoutNulls } from '../options/given.js';
import { readClient, clientSettings } from '../options/client.js';
import { Admin } from './admin/admin.js';
import type { ConsumerInternals } from './consumer/internals.js';
import { Consumer } from './consumer/consumer.js';
import { bridgeDatadog } from './instrumentation/datadog.js';
import { KAFKA_CONFIG } from './instrumentation/kafka-config.js';
import { createLogger } from './logger.js';
import { Producer, type ProducerInternals } from './producer/producer.js';
import type { AdminConfig, ConsumerConfig, KafkaConfig, Logger, ProducerConfig } from './types/index.js';

/**
 * kafkajs's entry point: creates producers, consumers and admin clients for one cluster.
 *
 * @throws KafkaJSNonRetriableError at construction, for an option that is unknown, wrong, or not supported.
 */
export class Kafka {
  readonly #config: KafkaConfig;
  readonly #logger: Logger;

  constructor(config: KafkaConfig) {
    const { logLevel: level, logCreator } = clientSettings(readClient(config));
    this.#config = withoutNulls(config) as KafkaConfig;
    this.#logger = createLogger({ level, ...(logCreator ? { logCreator } : {}) });
    bridgeDatadog();
  }

  /** Creates a producer. */
  producer(config: ProducerConfig = {}, internals?: ProducerInternals): Producer {
    return new Producer(this.#config, withoutNulls(config), this.#logger, internals);
  }

  /** Creates a consumer. */
  consumer(config: ConsumerConfig, internals?: ConsumerInternals): Consumer {
    return new Consumer(this.#config, withoutNulls(config) as ConsumerConfig, this.#logger, internals);
  }

  /** Creates an admin client. */
  admin(config: AdminConfig = {}): Admin {
    return new Admin(this.#config, withoutNulls(config), this.#logger);
  }

  /** The options, for the commands that look at an application. @internal */
  [KAFKA_CONFIG](): KafkaConfig {
    return this.#config;
  }

  /** kafkajs's root logger of this client. */
  logger(): Logger {
    return this.#logger;
  }
}
