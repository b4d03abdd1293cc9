import { own } from '../../application/callbacks.js';
import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import {
  NO_PARTITION,
  PendingRequest,
  type PendingRequests,
  type ReplyCallback,
} from './pending-requests.js';
import type { Replies } from './replies.js';

/** Time limit for finding out why a request has no reply partition, in milliseconds. */
const LONGEST_EXPLANATION = 3000;

/** What finding the reason needs. */
export interface MissingReplyPartitionOptions {
  readonly pending: PendingRequests;
  readonly replies: Replies;
  readonly groupId: string;
  /** `replyTimeout` in milliseconds, if it is set. */
  readonly replyTimeout: number | undefined;
}

/**
 * Fails a request whose pattern was subscribed to but has no reply partition, with the reason. The request is pending
 * while the reason is found out; the returned function cancels it.
 */
export function refuseExplained(
  err: Error,
  topic: string,
  consumer: Consumer,
  callback: ReplyCallback,
  { pending, replies, groupId, replyTimeout }: MissingReplyPartitionOptions,
): () => void {
  const slot = pending.open(new PendingRequest('', { topic, partition: NO_PARTITION }, callback));
  const generation = pending.generation(slot);
  const told = (): void => replies.fail(slot, generation, err);
  const limit = Math.min(LONGEST_EXPLANATION, replyTimeout ?? LONGEST_EXPLANATION);
  const explained = async (): Promise<void> => {
    await explain(err, consumer, topic, groupId, limit);
    told();
  };
  own(explained(), told);
  return () => replies.forget(slot, generation);
}

/** Usually the topic has fewer partitions than the group has members. */
async function explain(
  err: Error,
  consumer: Consumer,
  topic: string,
  groupId: string,
  limit: number,
): Promise<void> {
  const shortage = await consumer.describeShortage(topic, limit);
  if (shortage === 'stopped') err.message += ' The consumer of the replies is stopped, or starting again.';
  if (typeof shortage !== 'object') return;
  const { members, partitions } = shortage;
  err.message += ` The reply topic has ${partitions} ${partitions === 1 ? 'partition' : 'partitions'} and the group ${groupId} has ${members} ${members === 1 ? 'member' : 'members'}: each needs a partition of its own. Add partitions, or set the option replies: 'assigned'.`;
}
