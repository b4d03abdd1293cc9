// Arguments for a method: right, somewhat right, or anything.
import { below, pick } from './random.mjs';
import { anything, circular, hostile, TOPIC } from './values.mjs';

/** Arguments that are right, to get further, with something replaced now and then. */
const GOOD = {
  send: () => [{ topic: TOPIC, messages: [{ value: 'v', headers: { a: 'b' } }] }],
  sendBatch: () => [{ topicMessages: [{ topic: TOPIC, messages: [{ value: 'v' }] }] }],
  subscribe: () => [{ topics: [TOPIC], fromBeginning: true }],
  run: () => [
    {
      eachMessage: async () => {
        if (below(20) === 0) throw pick([circular(), new Error('a handler throws'), hostile(), 5]);
      },
    },
  ],
  seek: () => [{ topic: TOPIC, partition: 0, offset: '0' }],
  pause: () => [[{ topic: TOPIC }]],
  resume: () => [[{ topic: TOPIC }]],
  commitOffsets: () => [[{ topic: TOPIC, partition: 0, offset: '1' }]],
  on: () => [
    pick([
      'consumer.connect',
      'consumer.crash',
      'consumer.group_join',
      'producer.connect',
      'admin.connect',
      'consumer.network.request',
    ]),
    pick([
      () => {
        throw hostile();
      },
      async () => {
        throw circular();
      },
    ]),
  ],
  createTopics: () => [{ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: false }],
  deleteTopics: () => [{ topics: [`${TOPIC}-none`], timeout: 1000 }],
  fetchTopicMetadata: () => [{ topics: [TOPIC] }],
  fetchTopicOffsets: () => [TOPIC],
  fetchOffsets: () => [{ groupId: TOPIC, topics: [TOPIC] }],
  describeGroups: () => [[TOPIC]],
  describeConfigs: () => [{ includeSynonyms: false, resources: [{ type: 2, name: TOPIC }] }],
  listen: () => [() => undefined],
  addHandler: () => [
    pick([TOPIC, /fuzz/]),
    async () => {
      if (below(10) === 0) throw circular();
    },
    true,
  ],
  emit: () => [TOPIC, { hero: 1 }],
  emitBatch: () => [TOPIC, { messages: [{ hero: 1 }] }],
  subscribeToResponseOf: () => [TOPIC],
  sendOffsets: () => [
    { consumerGroupId: TOPIC, topics: [{ topic: TOPIC, partitions: [{ partition: 0, offset: '1' }] }] },
  ],
  failNext: () => ['Produce', 'REQUEST_TIMED_OUT', 1],
  createTopic: () => [`${TOPIC}-${below(1000)}`, 1],
};
/** Puts something else somewhere into an argument. */
function spoiled(value) {
  if (typeof value !== 'object' || value === null || below(3) === 0) return anything();
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const keys = Object.keys(copy);
  if (keys.length === 0) return anything();
  const key = pick(keys);
  copy[key] = spoiled(copy[key]);
  return copy;
}
export function argumentsOf(method) {
  const good = GOOD[method]?.();
  if (method === 'send' && below(2)) return [TOPIC, anything()];
  if (good === undefined || below(4) === 0) return Array.from({ length: below(4) }, () => anything());
  return below(2) ? good : good.map((argument) => (below(2) ? spoiled(argument) : argument));
}
