import { setTimeout as delay } from 'node:timers/promises';
import type { ClientEvent } from '../../boundary/events.js';
import { call, NativeAdmin } from '../../native/index.js';
import { adminProperties } from '../../options/admin.js';
import type { ClientSettings } from '../../options/client.js';
import { createAcls, deleteAcls, describeAcls } from './acls.js';
import { alterConfigs, describeConfigs } from './configs.js';
import { ask, asking, type AdminContext } from './context.js';
import { deleteGroups, describeGroups, listGroups } from './groups.js';
import {
  deleteTopicRecords,
  fetchOffsets,
  fetchTopicOffsets,
  fetchTopicOffsetsByTimestamp,
  resetOffsets,
  setOffsets,
} from './offsets.js';
import { describeAuthorizedOperations } from './rights.js';
import {
  createPartitions,
  createTopics,
  deleteTopics,
  fetchTopicMetadata,
  listTopics,
  topicsAsTheyAre,
} from './topics.js';
import { Brokers } from '../cluster/brokers.js';
import { ConnectionTrouble } from '../cluster/connection-error.js';
import { KafkaJSNonRetriableError, KafkaJSNotImplemented } from '../errors/index.js';
import { adminEvents, InstrumentationEmitter } from '../instrumentation/emitter.js';
import { Lifecycle, unlessAborted } from '../../lifecycle.js';
import { RequestEvents } from '../instrumentation/request-events.js';
import { ClientEvents } from '../cluster/client-events.js';
import type {
  Admin as AdminShape,
  AdminConfig,
  ITopicMetadata,
  KafkaConfig,
  Logger,
} from '../types/index.js';

const reassignment = (method: string): KafkaJSNotImplemented =>
  new KafkaJSNotImplemented(
    `admin.${method}() is not supported by librdkafka: use kafka-reassign-partitions.sh, or kafkajs's own admin client`,
  );

/** kafkajs's admin client. Its methods work without `this`, like kafkajs's. */
export class Admin implements AdminShape {
  /** The names of the events. */
  readonly events = adminEvents;
  readonly #brokers: Brokers;
  readonly #properties: Record<string, string>;
  readonly #settings: ClientSettings;
  readonly #logger: Logger;
  readonly #emitter: InstrumentationEmitter;
  readonly #network: RequestEvents;
  readonly #events: ClientEvents;
  readonly #context: AdminContext;
  #native: NativeAdmin | undefined;
  /** Aborted when this connection is to end. */
  #ending = new AbortController();
  readonly #lifecycle = new Lifecycle('The admin client');

  /** @internal */
  constructor(kafka: KafkaConfig, config: AdminConfig, logger: Logger) {
    const { properties, settings } = adminProperties(kafka, config);
    this.#properties = properties;
    this.#settings = settings;
    this.#logger = logger.namespace('Admin');
    this.#emitter = new InstrumentationEmitter('admin', this.#logger);
    this.#brokers = new Brokers(kafka, this.#logger);
    this.#network = new RequestEvents(this.#emitter, adminEvents, settings.clientId);
    this.#events = new ClientEvents({
      logger: this.#logger,
      emitter: this.#emitter,
      brokers: this.#brokers,
      network: this.#network,
      oauthBearerProvider: settings.oauthBearerProvider,
    });
    this.#context = {
      native: () => {
        if (this.#native && this.#lifecycle.state === 'ready') return this.#native;
        throw new KafkaJSNonRetriableError('The admin client is not connected: call connect() first');
      },
      logger: this.#logger,
      retry: settings.retry,
      requestTimeoutMs: settings.requestTimeoutMs,
      rest: (ms, cause) => this.#rest(ms, cause as Error),
    };
  }

  async #rest(ms: number, cause: Error): Promise<void> {
    const { signal } = this.#ending;
    try {
      await delay(ms, undefined, { signal });
    } catch {
      const message = 'The admin client was disconnected before it could repeat a call';
      throw new KafkaJSNonRetriableError(message, { cause });
    }
  }

  /**
   * Connects to the cluster. Concurrent calls share one connection attempt; after {@link disconnect} it connects
   * again.
   *
   * @throws KafkaJSNumberOfRetriesExceeded when no broker answers within `connectionTimeout`, with a KafkaJSConnectionError as its
   * `cause`; a later call may succeed.
   * @throws KafkaJSSASLAuthenticationError as soon as a broker refuses the credentials.
   * @throws KafkaJSNonRetriableError when {@link disconnect} is called meanwhile.
   */
  readonly connect = async (): Promise<void> => {
    if (this.#lifecycle.state === 'ready') return;
    await this.#lifecycle.start('connect', {
      open: (signal) => this.#connect(signal),
      undo: () => this.#close(),
      opened: () => this.#emitter.emit(adminEvents.CONNECT),
    });
  };

  async #connect(signal: AbortSignal): Promise<void> {
    const brokers = await unlessAborted(this.#brokers.resolve(), signal);
    const trouble = new ConnectionTrouble();
    const properties = { ...this.#properties, 'bootstrap.servers': brokers };
    const native: NativeAdmin = call(
      () =>
        new NativeAdmin(
          properties,
          (_, text) => {
            if (!text) return;
            const event = JSON.parse(text) as ClientEvent;
            trouble.note(event);
            this.#events.handle(event, native);
          },
          this.#network.wantsRequests,
        ),
    );
    const timeout = this.#settings.connectTimeoutMs;
    this.#native = native;
    this.#ending = new AbortController();
    const failure = await unlessAborted(native.connect(timeout), signal);
    if (failure) {
      await trouble.lastWord();
      throw trouble.error(failure, brokers, timeout, this.#settings.retry);
    }
  }

  async #close(): Promise<void> {
    const native = this.#native;
    this.#native = undefined;
    await native?.close();
  }

  /** Disconnects. A {@link connect} in progress is interrupted, and rejects; so is a call that waits to be repeated. */
  readonly disconnect = async (): Promise<void> => {
    this.#ending.abort();
    await this.#lifecycle.stop('disconnect', () => this.#close(), {
      stopped: () => this.#emitter.emit(adminEvents.DISCONNECT),
    });
  };

  /** Names of all topics. */
  readonly listTopics: AdminShape['listTopics'] = () => listTopics(this.#context);

  /** Creates topics; resolves with false when they exist already. */
  readonly createTopics: AdminShape['createTopics'] = (options) => createTopics(this.#context, options);

  /** Deletes topics. */
  readonly deleteTopics: AdminShape['deleteTopics'] = (options) => deleteTopics(this.#context, options);

  /** Increases the number of partitions of topics. */
  readonly createPartitions: AdminShape['createPartitions'] = (options) =>
    createPartitions(this.#context, options);

  /** Describes topics, or all of them. */
  readonly fetchTopicMetadata: AdminShape['fetchTopicMetadata'] = (options) =>
    fetchTopicMetadata(this.#context, options);

  /** Describes topics that may have partitions without a leader, which {@link fetchTopicMetadata} throws. @internal */
  readonly topicsAsTheyAre = (topics: readonly string[]): Promise<ITopicMetadata[]> =>
    topicsAsTheyAre(this.#context, topics);

  /** The committed offsets of a group; -1 for partitions without one. */
  readonly fetchOffsets: AdminShape['fetchOffsets'] = (options) => fetchOffsets(this.#context, options);

  /** The same, once no transaction is open any more that commits such offsets. @internal */
  readonly fetchStableOffsets: AdminShape['fetchOffsets'] = (options) =>
    fetchOffsets(this.#context, options, true);

  /** The low and high watermark of each partition. */
  readonly fetchTopicOffsets: AdminShape['fetchTopicOffsets'] = (topic) =>
    fetchTopicOffsets(this.#context, topic);

  /** The first offset of each partition at or after a time. */
  readonly fetchTopicOffsetsByTimestamp: AdminShape['fetchTopicOffsetsByTimestamp'] = (topic, timestamp) =>
    fetchTopicOffsetsByTimestamp(this.#context, topic, timestamp);

  /** The brokers, the controller and the cluster's id. */
  readonly describeCluster: AdminShape['describeCluster'] = async () => {
    const context = this.#context;
    const cluster = await ask(context, (native) => native.cluster(asking(context)));
    const { brokers, controllerId, clusterId } = cluster;
    return { brokers, controller: controllerId ?? null, clusterId: clusterId ?? '' };
  };

  /** Commits offsets of a group that has no members. */
  readonly setOffsets: AdminShape['setOffsets'] = (options) => setOffsets(this.#context, options);

  /** Commits the ends, or the beginnings, of a topic for a group that has no members. */
  readonly resetOffsets: AdminShape['resetOffsets'] = (options) => resetOffsets(this.#context, options);

  /** Describes the configuration of topics and brokers. */
  readonly describeConfigs: AdminShape['describeConfigs'] = (configs) =>
    describeConfigs(this.#context, configs);

  /** Replaces the configuration of topics and brokers: settings that are not named return to their defaults. */
  readonly alterConfigs: AdminShape['alterConfigs'] = (configs) => alterConfigs(this.#context, configs);

  /** All groups. */
  readonly listGroups: AdminShape['listGroups'] = () => listGroups(this.#context);

  /** Deletes groups that have no members. */
  readonly deleteGroups: AdminShape['deleteGroups'] = (groupIds) => deleteGroups(this.#context, groupIds);

  /** Describes groups. */
  readonly describeGroups: AdminShape['describeGroups'] = (groupIds) =>
    describeGroups(this.#context, groupIds);

  /** The operations that this client is authorized for on topics and groups. An extension of kafkajs. */
  readonly describeAuthorizedOperations: AdminShape['describeAuthorizedOperations'] = (options) =>
    describeAuthorizedOperations(this.#context, options);

  /** Finds access rules. */
  readonly describeAcls: AdminShape['describeAcls'] = (filter) => describeAcls(this.#context, filter);

  /** Deletes access rules. */
  readonly deleteAcls: AdminShape['deleteAcls'] = (options) => deleteAcls(this.#context, options);

  /** Creates access rules. */
  readonly createAcls: AdminShape['createAcls'] = (options) => createAcls(this.#context, options);

  /** Deletes the records before offsets; -1 deletes all. */
  readonly deleteTopicRecords: AdminShape['deleteTopicRecords'] = (options) =>
    deleteTopicRecords(this.#context, options);

  /** @throws KafkaJSNotImplemented */
  readonly alterPartitionReassignments: AdminShape['alterPartitionReassignments'] = () =>
    Promise.reject(reassignment('alterPartitionReassignments'));

  /** @throws KafkaJSNotImplemented */
  readonly listPartitionReassignments: AdminShape['listPartitionReassignments'] = () =>
    Promise.reject(reassignment('listPartitionReassignments'));

  /**
   * Listens to an event of {@link events}; returns a function that removes the listener. REQUEST_QUEUE_SIZE is never
   * emitted.
   */
  readonly on: AdminShape['on'] = (eventName, listener) => {
    const remove = this.#emitter.on(eventName, listener as (event: unknown) => void);
    const watch = (): void => this.#native?.watchRequests(this.#network.wantsRequests);
    watch();
    return () => {
      remove();
      watch();
    };
  };

  /** kafkajs's logger of this admin client. */
  readonly logger = (): Logger => this.#logger;
}
