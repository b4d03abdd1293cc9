import type { InspectedDriver } from './application.js';

type Tell = (topic: string | RegExp) => void;
type Act = (tell: Tell, args: readonly unknown[]) => unknown;

const nothing: Act = () => Promise.resolve();
const answers =
  (value: unknown): Act =>
  () =>
    Promise.resolve(value);

interface Topics {
  readonly topic?: unknown;
  readonly topics?: readonly unknown[];
}

const isTopic = (value: unknown): value is string | RegExp =>
  typeof value === 'string' || value instanceof RegExp;

/** Reports the topics of `{ topic }` and `{ topics }`, whose items may be objects with a `topic`. */
function tellOf(tell: Tell, argument: unknown): void {
  const { topic, topics = [] } = (argument ?? {}) as Topics;
  for (const item of [topic, ...topics]) {
    if (isTopic(item)) tell(item);
    else if (typeof item === 'object' && item !== null) tellOf(tell, item);
  }
}

const telling =
  (value: unknown): Act =>
  (tell, [argument]) => {
    tellOf(tell, argument);
    return Promise.resolve(value);
  };

/** kafkajs's `sendBatch()`. */
const sendBatch: Act = (tell, [argument]) => {
  tellOf(tell, { topics: (argument as { topicMessages?: Topics[] } | undefined)?.topicMessages ?? [] });
  return Promise.resolve([]);
};

/** How this package's NestJS client sends events. */
const dispatch: Act = (tell, [topic, , , done]) => {
  tellOf(tell, { topic });
  (done as (error: null, metadata: unknown[]) => void)(null, []);
};

const transaction: Act = (tell) =>
  Promise.resolve({
    send: (argument: unknown) => telling([])(tell, [argument]),
    sendBatch: (argument: unknown) => sendBatch(tell, [argument]),
    sendOffsets: () => Promise.resolve(),
    commit: () => Promise.resolve(),
    abort: () => Promise.resolve(),
    isActive: () => true,
  });

/** The methods that would contact a broker, and what they do instead. */
const ACTS: Readonly<Record<InspectedDriver['kind'], Readonly<Record<string, Act>>>> = {
  consumer: {
    connect: nothing,
    disconnect: nothing,
    subscribe: telling(undefined),
    run: nothing,
    stop: nothing,
    commitOffsets: nothing,
    describeGroup: answers({ members: [], state: 'Empty', protocol: '', protocolType: 'consumer' }),
    seek: () => undefined,
    pause: () => undefined,
    resume: () => undefined,
  },
  producer: {
    connect: nothing,
    disconnect: nothing,
    send: telling([]),
    sendBatch,
    dispatch,
    transaction,
  },
  admin: {
    connect: nothing,
    disconnect: nothing,
    listTopics: answers([]),
    createTopics: telling(true),
    createPartitions: answers(true),
    fetchTopicMetadata: answers({ topics: [] }),
    fetchOffsets: answers([]),
    fetchTopicOffsets: answers([]),
    fetchTopicOffsetsByTimestamp: answers([]),
    describeCluster: answers({ brokers: [], controller: null, clusterId: '' }),
    describeConfigs: answers({ resources: [], throttleTime: 0 }),
    listGroups: answers({ groups: [] }),
    describeGroups: answers({ groups: [] }),
    describeAcls: answers({ resources: [], throttleTime: 0 }),
    createAcls: answers(true),
    deleteTopics: nothing,
    setOffsets: nothing,
    resetOffsets: nothing,
    alterConfigs: answers({ resources: [], throttleTime: 0 }),
    deleteGroups: answers([]),
    deleteAcls: answers({ filterResponses: [], throttleTime: 0 }),
    deleteTopicRecords: nothing,
  },
};

/**
 * Keeps a client that is not connected yet from connecting: methods that would ask a broker answer at once. Its
 * events and its logger stay as they are.
 */
export function silence(kind: InspectedDriver['kind'], client: object, tell: Tell): object {
  for (const [name, act] of Object.entries(ACTS[kind])) {
    if (!(name in client)) continue;
    Object.defineProperty(client, name, {
      value: (...args: unknown[]) => act(tell, args),
      configurable: true,
      writable: true,
    });
  }
  return client;
}
