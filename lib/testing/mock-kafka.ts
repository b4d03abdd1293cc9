import { codeOf, errorCodeOfType } from '../kafkajs/errors/codes.js';
import { KafkaJSInvalidOptionError } from '../kafkajs/errors/index.js';
import { answerOf, call, NativeMockCluster } from '../native/index.js';

/** A kind of request, by its name in Kafka's protocol. `Produce` writes records, `Fetch` reads them. */
export type MockApi =
  | 'Produce'
  | 'Fetch'
  | 'ListOffsets'
  | 'Metadata'
  | 'OffsetCommit'
  | 'OffsetFetch'
  | 'FindCoordinator'
  | 'JoinGroup'
  | 'Heartbeat'
  | 'LeaveGroup'
  | 'SyncGroup'
  | 'InitProducerId'
  | 'AddPartitionsToTxn'
  | 'AddOffsetsToTxn'
  | 'EndTxn'
  | 'TxnOffsetCommit';

/** Their API keys in Kafka's protocol. */
const APIS: Readonly<Record<MockApi, number>> = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
  SyncGroup: 14,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
};

/** Limits of librdkafka's mock cluster and its memory. */
const [MOST_BROKERS, MOST_PARTITIONS, MOST_ERRORS] = [10_000, 100_000, 100_000];
const INT32_MAX = 2 ** 31 - 1;

/** librdkafka's code for a lost connection; the mock broker closes the connection for it. */
const TRANSPORT = codeOf('_TRANSPORT');

/**
 * The running clusters. Keeps them alive when a test holds only the addresses: a cluster ends when its object is
 * collected.
 */
const running = new Set<MockKafka>();

/** Options of {@link MockKafka.start}. */
export interface MockKafkaOptions {
  /** Number of brokers. Default 1. */
  brokers?: number;
  /** Partitions of topics to create at once, by name. Others are created when they are first used, with 4 partitions. */
  topics?: Record<string, number>;
}

/**
 * An embedded broker for an application's tests: librdkafka's mock cluster, in this process and on local ports. It
 * keeps everything in memory, and fails on request. It is not Kafka itself: the guide's page on testing lists what it
 * cannot do.
 *
 * @example
 * ```ts
 * await using kafka = MockKafka.start({ topics: { 'hero.kill.dragon': 1 } });
 * new ServerKafka({
 *   client: { brokers: kafka.brokers },
 *   consumer: { groupId: 'hero', ...MockKafka.consumerOptions },
 * });
 * ```
 */
export class MockKafka implements AsyncDisposable {
  /**
   * Options for `consumer` that suit the mock cluster, which rebalances only about a session time-out after a
   * consumer has joined or left, and answers an empty fetch only after its full wait. A real Kafka does not need
   * them.
   */
  static readonly consumerOptions: Readonly<{
    /** Milliseconds. */
    sessionTimeout: number;
    /** Milliseconds. */
    heartbeatInterval: number;
    /** Milliseconds. */
    maxWaitTimeInMs: number;
  }> = Object.freeze({ sessionTimeout: 2000, heartbeatInterval: 500, maxWaitTimeInMs: 10 });

  /** `host:port` of each broker, for `client.brokers`. Broker 1 is the first. */
  readonly brokers: string[];
  readonly #cluster: NativeMockCluster;
  #stopped: Promise<void> | undefined;

  private constructor(cluster: NativeMockCluster) {
    this.#cluster = cluster;
    this.brokers = call(() => cluster.brokers()).split(',');
  }

  /**
   * Starts a cluster on free ports of 127.0.0.1. It is ready when this returns, and runs until {@link stop} or the process's end.
   *
   * @throws KafkaJSInvalidOptionError for an invalid number.
   */
  static start({ brokers = 1, topics = {} }: MockKafkaOptions = {}): MockKafka {
    between('brokers', brokers, 1, MOST_BROKERS);
    const kafka = new MockKafka(call(() => new NativeMockCluster(brokers)));
    for (const [topic, partitions] of Object.entries(topics)) kafka.createTopic(topic, partitions);
    running.add(kafka);
    return kafka;
  }

  /**
   * Creates a topic; each partition has one replica. Partition `p` is led by broker `p % brokers + 1`.
   *
   * @throws KafkaJSProtocolError of type `TOPIC_ALREADY_EXISTS`.
   */
  createTopic(topic: string, partitions = 1): void {
    between(`topics.${topic}`, partitions, 1, MOST_PARTITIONS);
    call(() => this.#cluster.createTopic(topic, partitions));
  }

  /**
   * Ends all connections of a broker and refuses new ones, as if it had crashed. Leaders do not move by themselves, see
   * {@link moveLeader}. Records are kept.
   *
   * @param broker Its number, from 1. Default: all brokers.
   */
  stopBroker(broker?: number): void {
    call(() => this.#cluster.setBrokerUp(false, this.#known(broker)));
  }

  /**
   * Makes a broker accept connections again, on its old port.
   *
   * @param broker Its number, from 1. Default: all brokers.
   */
  startBroker(broker?: number): void {
    call(() => this.#cluster.setBrokerUp(true, this.#known(broker)));
  }

  /**
   * Makes a broker delay each answer; 0 ends that.
   *
   * @param milliseconds From a request's arrival to its answer.
   * @param broker Its number, from 1. Default: all brokers.
   */
  setLatency(milliseconds: number, broker?: number): void {
    between('milliseconds', milliseconds, 0, INT32_MAX);
    call(() => this.#cluster.setRoundTripTime(milliseconds, this.#known(broker)));
  }

  /**
   * Answers the next requests of a kind with an error instead of carrying them out, of any client and broker, after
   * the errors of earlier calls are used up. Requests that are waiting at the broker already, like fetches, are not
   * affected. Errors that are retried internally reach the application only if they outlast the retries.
   *
   * @param api The kind of request.
   * @param error kafkajs's name of a protocol error, for example `MESSAGE_TOO_LARGE`.
   * @param times How many requests. Default 1.
   * @throws KafkaJSInvalidOptionError for an unknown name.
   */
  failNext(api: MockApi, error: string, times = 1): void {
    const row = errorCodeOfType(error);
    if (!row)
      throw invalid(
        'error',
        `must be the name of a protocol error, as INVALID_TOPIC_EXCEPTION, not ${error}`,
      );
    this.#inject(api, row.code, times);
  }

  /**
   * Closes the connection instead of answering the next requests of a kind, which are not carried out.
   *
   * @param api The kind of request.
   * @param times How many requests. Default 1.
   */
  disconnectNext(api: MockApi, times = 1): void {
    this.#inject(api, TRANSPORT, times);
  }

  /**
   * Removes the remaining errors of {@link failNext} and {@link disconnectNext}.
   *
   * @param api The kind of request. Default: all kinds.
   */
  clearFailures(api?: MockApi): void {
    for (const name of api === undefined ? (Object.keys(APIS) as MockApi[]) : [api])
      call(() => this.#cluster.clearRequestErrors(numberOf(name)));
  }

  /**
   * Makes a broker the leader of a partition, as after an election. Clients learn of it at their next request to the
   * old leader.
   *
   * @param topic The topic, which is created if it does not exist.
   * @param partition The partition.
   * @param broker The new leader's number, from 1, or null for none.
   * @throws KafkaJSProtocolError of type `UNKNOWN_TOPIC_OR_PARTITION` for a partition that the topic does not have.
   */
  moveLeader(topic: string, partition: number, broker: number | null): void {
    between('partition', partition, 0, INT32_MAX);
    call(() => this.#cluster.setPartitionLeader(topic, partition, this.#known(broker ?? undefined)));
  }

  /** Stops the cluster; resolves when its ports are closed. Close the application first. Further calls do nothing. */
  stop(): Promise<void> {
    running.delete(this);
    this.#stopped ??= answerOf<void>(() => this.#cluster.stop());
    return this.#stopped;
  }

  /** {@link stop}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #inject(api: MockApi, code: number, times: number): void {
    between('times', times, 1, MOST_ERRORS);
    const errors = Array.from({ length: times }, () => code);
    call(() => this.#cluster.pushRequestErrors(numberOf(api), errors));
  }

  #known(broker: number | undefined): number | undefined {
    if (broker !== undefined) between('broker', broker, 1, this.brokers.length);
    return broker;
  }
}

function numberOf(api: MockApi): number {
  if (Object.hasOwn(APIS, api)) return APIS[api];
  throw invalid('api', `must be one of ${Object.keys(APIS).join(', ')}, not ${String(api)}`);
}

function between(option: string, value: unknown, least: number, most: number): void {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
    throw invalid(option, `must be a whole number from ${least} to ${most}, not ${String(value)}`);
}

function invalid(option: string, problem: string): KafkaJSInvalidOptionError {
  return new KafkaJSInvalidOptionError(`MockKafka: ${option} ${problem}`, { option });
}
