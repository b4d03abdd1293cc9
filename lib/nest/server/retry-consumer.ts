import type { IncomingBatch } from '../../codec/incoming.js';
import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import type { Kafka } from '../../kafkajs/kafka.js';
import { resolveRetry } from '../../kafkajs/retry/retry.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { Handling, Outcome, RecordHandler } from '../../runner/record-handler.js';
import { forget, noteServer } from '../late-replies.js';
import type { GuardedLogger } from '../log/guarded-logger.js';
import type { DeadLetterOptions, NestKafkaOptions, RetryTopicsOptions } from '../options/index.js';
import { deadLetterOf } from './failure-policies.js';
import type { RecordDispatch } from './record-dispatch.js';
import type { OwnParts, Responder } from './responder.js';
import { Retries } from './retries.js';
import { dueOf } from './retry-headers.js';
import { RETRY_GROUP_SUFFIX, RetrySchedule, waitFor } from './retry-schedule.js';
import { RetryTopics } from './retry-topics.js';
import { RetryWriter } from './retry-writer.js';

/** What the consumer of the retry topics needs of its server. */
export interface RetryConsumerPorts {
  readonly client: () => Kafka;
  /** `deadLetter` of each handler of a topic. */
  readonly deadLettersOf: (topic: string) => readonly (DeadLetterOptions | undefined)[];
  /** Creates a consumer with its producer. */
  readonly responder: (groupId: string, handle: RecordHandler, retries: Retries, own: OwnParts) => Responder;
  /** Passes records to the handlers. */
  readonly dispatch: RecordDispatch;
  /** The retry topics of requests. */
  readonly requests: () => RetryTopicsOptions[];
  /** Connects the consumer to the server's status. */
  readonly watch: (consumer: Consumer) => void;
  readonly logger: GuardedLogger;
}

/** The consumer of the server's retry topics: a group of its own, whose messages are handled when they are due, by the same handlers. */
export class RetryConsumer {
  /** The retries of messages, shared by both consumers. */
  readonly retries: Retries;
  readonly #topics: RetryTopics;
  readonly #groupId: string;
  readonly #options: NestKafkaOptions;
  readonly #ports: RetryConsumerPorts;
  #responder: Responder | undefined;

  constructor(options: NestKafkaOptions, groupId: string, ports: RetryConsumerPorts) {
    const { client, consumer, deadLetter } = options;
    const { logger, deadLettersOf } = ports;
    this.#options = options;
    this.#ports = ports;
    this.#groupId = groupId;
    this.#topics = new RetryTopics({
      topicsOf: (source) => this.retries.topics(source),
      admin: () => ports.client().admin(),
      logger,
    });
    const retry = resolveRetry(client?.retry, consumer?.retry, deadLetter?.backoff);
    const writer = new RetryWriter({ groupId, topics: this.#topics, retry, logger });
    this.retries = new Retries({ groupId, deadLettersOf, writer });
  }

  /**
   * Checks the names that the patterns' retry topics would have, before any message is read.
   *
   * @throws KafkaJSInvalidOptionError for an illegal topic name.
   */
  check(patterns: Iterable<string | RegExp>): void {
    this.#topics.check([...patterns].filter((pattern) => typeof pattern === 'string'));
  }

  /** Creates the retry topics of the subscribed topics, joins their group and handles messages when they are due. */
  async start(sources: readonly string[]): Promise<void> {
    const topics = this.retries.learn(sources);
    if (topics.length === 0) return;
    await this.#topics.make(sources);
    this.#noteDelays();
    const responder = this.#ports.responder(
      this.#groupId + RETRY_GROUP_SUFFIX,
      (task, batch, index) => this.#handle(responder, task, batch, index),
      this.retries,
      {
        // They are made by name, or waited for: who may not make topics must not be refused for asking for one that is missing.
        options: {
          ...this.#options,
          consumer: { ...this.#options.consumer, allowAutoTopicCreation: false },
        },
        topicOf: ({ topic }, batch, index) => this.retries.sourceOf(topic, batch.rawHeaders(index)),
        dueIn: (_, batch, index) => waitFor(dueOf(batch.rawHeaders(index))),
      },
    );
    this.#responder = responder;
    const { consumer, producer } = responder;
    this.#ports.watch(consumer);
    await producer.connect();
    await consumer.connect();
    // From the beginning, because messages may have been written before the group had an offset.
    await consumer.subscribe({ topics, fromBeginning: true });
    await consumer.run(this.#options.run);
  }

  /** Notes the longest time that a reply may take, to warn clients with a shorter `replyTimeout`. */
  #noteDelays(): void {
    const totals = this.#ports.requests().map((options) => new RetrySchedule(options, this.#groupId).total);
    const longest = Math.max(0, ...totals);
    if (longest > 0) noteServer(this, longest, this.#ports.logger);
  }

  #handle(
    responder: Responder,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome> | Outcome | Handling {
    const source = this.retries.sourceOf(task.topic, batch.rawHeaders(index));
    const { dispatch } = this.#ports;
    const options = deadLetterOf(this.#options, dispatch.optionsOf(task, batch, index, source)) ?? {};
    const attempt = this.retries.delivery(options, task, batch, index);
    return dispatch.handle(responder, task, batch, index, source, attempt);
  }

  /** Waits for a close; called in a handler, without waiting for that handler itself. */
  async untilClosed(closed: Promise<unknown>): Promise<void> {
    await this.#responder?.consumer.untilClosed(closed);
  }

  /** Lets the running handlers finish, leaves the group and disconnects. */
  async close(): Promise<void> {
    const responder = this.#responder;
    forget(this);
    await responder?.consumer.disconnect();
    await responder?.producer.disconnect();
    this.#responder = undefined;
  }

  /** Disconnects for good: a start was interrupted. */
  async retire(): Promise<void> {
    await Promise.all([this.#responder?.consumer.retire(), this.#responder?.producer.retire()]);
  }
}
