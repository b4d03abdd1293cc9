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
    (add) => eachPartition((values, { lag }) => add(values, lag)),
  );
  instruments.gauge(
    'consumer_in_flight',
    'Messages of a partition that were handed out and are not handled.',
    perPartition,
    (add) => eachPartition((values, { inHand }) => add(values, inHand)),
  );
  instruments.gauge(
    'consumer_stalled_seconds',
    'How long something has waited in a partition while nothing of it was handled.',
    perPartition,
    (add) => eachPartition((values, { stalledFor }) => add(values, stalledFor / 1000)),
    Math.max,
  );
  instruments.gauge(
    'consumer_assigned_partitions',
    'Partitions that a consumer has.',
    ['group', 'client'],
    (add) => {
      for (const { groupId, clientId, partitions } of consumers()) {
        add({ group: groupId, client: clientId }, partitions.length);
      }
    },
  );
  instruments.gauge(
    'consumer_running',
    'Consumers that have joined their group and are neither rebalancing nor crashed.',
    ['group', 'client'],
    (add) => {
      for (const { groupId, clientId, isRunning } of members()) {
        add({ group: groupId, client: clientId }, isRunning ? 1 : 0);
      }
    },
  );
  instruments.gauge(
    'consumer_expected',
    'Consumers that are to be in their group: each that was started, also in vain, and not stopped since.',
    ['group', 'client'],
    (add) => {
      for (const { groupId, clientId, isToJoin } of members()) {
        add({ group: groupId, client: clientId }, isToJoin ? 1 : 0);
      }
    },
  );
  instruments.gauge(
    'client_pending_requests',
    'Requests of a client that wait for their replies.',
    ['group', 'client'],
    (add) => {
      for (const { groupId, clientId, isOfReplies, pendingRequests } of consumers()) {
        if (isOfReplies) add({ group: groupId, client: clientId }, pendingRequests);
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

/** A consumer, or one that is missing because the start of its server or client has failed. */
interface Member {
  readonly groupId: string;
  readonly clientId: string;
  readonly isRunning: boolean;
  readonly isToJoin: boolean;
}

function members(): Member[] {
  return observed().flatMap((client): Member[] => {
    const report = client.report();
    if (report.role === 'producer') return [];
    const { groupId, clientId, state, isToJoin } = report;
    // While they start, their consumers are there, or will be at once.
    if (report.role !== 'consumer' && state !== 'failed') return [];
    return groupId === undefined ? [] : [{ groupId, clientId, isRunning: state === 'running', isToJoin }];
  });
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
