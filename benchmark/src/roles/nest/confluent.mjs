/**
 * NestJS over @confluentinc/kafka-javascript: NestJS's own Kafka classes with its KafkaJS interface instead of
 * kafkajs, as far as possible. That interface has no events, does not take assigners, and needs `acks` and
 * `fromBeginning` when the producer and the consumer are created.
 */
import { ClientKafka, ServerKafka } from '@nestjs/microservices';
import { librdkafkaFetch } from '../fetch.mjs';
import { loadConfluent } from '../rivals.mjs';

const { ErrorCodes, Kafka, logLevel } = await loadConfluent();

const PRODUCER = { kafkaJS: { acks: -1 }, 'linger.ms': 0 };

class ConfluentServer extends ServerKafka {
  async createClient() {
    return createKafka(this);
  }

  async start(callback) {
    this.consumer = this.client.consumer(consumerConfig(this));
    this.producer = this.client.producer(PRODUCER);
    await this.consumer.connect();
    await this.producer.connect();
    await this.consumer.subscribe({ topics: [...this.messageHandlers.keys()] });
    await this.consumer.run({ eachMessage: this.getMessageHandler() });
    callback();
  }
}

class ConfluentClient extends ClientKafka {
  async createClient() {
    return createKafka(this);
  }

  async initializeClientAndConnections(attempt) {
    this.client = await this.createClient();
    if (!this.producerOnlyMode) await this.#joinReplies(attempt);
    this._producer = attempt.producer = this.client.producer(PRODUCER);
    await this._producer.connect();
  }

  /** Waits for the reply partitions, which every request has to name. */
  async #joinReplies(attempt) {
    const assigned = new Promise((resolve) => {
      const onRebalance = ({ code }, partitions) => {
        if (code === ErrorCodes.ERR__ASSIGN_PARTITIONS) resolve(partitions);
      };
      this._consumer = attempt.consumer = this.client.consumer({
        ...consumerConfig(this),
        rebalance_cb: onRebalance,
      });
    });
    await this._consumer.connect();
    await this._consumer.subscribe({ topics: this.responsePatterns });
    await this._consumer.run({ eachMessage: this.createResponseCallback() });
    for (const { topic, partition } of await assigned) {
      const lowest = this.consumerAssignments[topic] ?? partition;
      this.consumerAssignments[topic] = Math.min(lowest, partition);
    }
  }
}

function createKafka({ clientId, brokers }) {
  return new Kafka({ kafkaJS: { clientId, brokers, logLevel: logLevel.ERROR } });
}

function consumerConfig({ groupId, options }) {
  return { kafkaJS: { groupId, fromBeginning: options.subscribe.fromBeginning }, ...librdkafkaFetch() };
}

/** Removes the options that `producer.send()` refuses here. */
function withoutSend(options) {
  return { ...options, send: {} };
}

export function microserviceOptions(options) {
  return { strategy: new ConfluentServer(withoutSend(options)) };
}

export function createClient(options) {
  return new ConfluentClient(withoutSend(options));
}
