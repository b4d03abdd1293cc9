import {
  observed,
  type ConsumerReport,
  type PartitionReport,
  type ProducerReport,
} from '../kafkajs/instrumentation/clients.js';
import type { Instruments } from './instruments.js';

/** Registers gauges whose values are read from the clients when the registry is scraped. */
export function registerGauges(instruments: Instruments): void {
  const perPartition = ['group', 'client', 'topic', 'partition'];
  instruments.gauge(
    'consumer_lag',
    'Messages of a partition that wait to be handled, by the last response to a fetch.',
    perPartition,
    (set) => eachPartition((values, { lag }) => set(values, lag)),
  );
  instruments.gauge(
    'consumer_in_flight',
    'Messages of a partition that were handed out and are not handled.',
    perPartition,
    (set) => eachPartition((values, { inHand }) => set(values, inHand)),
  );
  instruments.gauge(
    'consumer_stalled_seconds',
    'How long something has waited in a partition while nothing of it was handled.',
    perPartition,
    (set) => eachPartition((values, { stalledFor }) => set(values, stalledFor / 1000)),
  );
  instruments.gauge(
    'consumer_assigned_partitions',
    'Partitions that a consumer has.',
    ['group', 'client'],
    (set) => {
      for (const { groupId, clientId, partitions } of consumers()) {
        set({ group: groupId, client: clientId }, partitions.length);
      }
    },
  );
  instruments.gauge(
    'consumer_running',
    '1 while a consumer has joined its group and is neither rebalancing nor crashed.',
    ['group', 'client'],
    (set) => {
      for (const { groupId, clientId, state } of consumers()) {
        set({ group: groupId, client: clientId }, state === 'running' ? 1 : 0);
      }
    },
  );
  instruments.gauge(
    'client_pending_requests',
    'Requests of a client that wait for their replies.',
    ['group', 'client'],
    (set) => {
      for (const { groupId, clientId, isOfReplies, pendingRequests } of consumers()) {
        if (isOfReplies) set({ group: groupId, client: clientId }, pendingRequests);
      }
    },
  );
}

/** The producers that are connected, or should be. */
export function producers(): ProducerReport[] {
  return observed()
    .map((client) => client.report())
    .filter((report) => report.role === 'producer');
}

function consumers(): ConsumerReport[] {
  return observed()
    .map((client) => client.report())
    .filter((report) => report.role === 'consumer');
}

function eachPartition(
  visit: (values: Record<string, string | number>, partition: PartitionReport) => void,
): void {
  for (const { groupId, clientId, isOfReplies, partitions } of consumers()) {
    // Replies are not tracked, and replies to other clients are in the same partitions.
    if (isOfReplies) continue;
    for (const partition of partitions) {
      const { topic, partition: number } = partition;
      visit({ group: groupId, client: clientId, topic, partition: number }, partition);
    }
  }
}
