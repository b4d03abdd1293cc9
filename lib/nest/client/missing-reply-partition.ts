import { own } from '../../application/callbacks.js';
import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import {
  NO_PARTITION,
  PendingRequest,
  type PendingRequests,
  type ReplyCallback,
} from './pending-requests.js';
import type { Replies } from './replies.js';

/** Longest time for finding out why a request cannot be answered, in milliseconds. */
const LONGEST_EXPLANATION = 3000;

/** What an explanation is made with. */
export interface MissingReplyPartitionOptions {
  readonly pending: PendingRequests;
  readonly replies: Replies;
  readonly groupId: string;
  /** `replyTimeout`, in milliseconds, where it is set. */
  readonly replyTimeout: number | undefined;
}

/**
 * Says why there is no reply partition for a request to a pattern that was subscribed to. The request waits meanwhile, and ends like
 * every other; the function that is answered forgets it.
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

/** Mostly there are too few partitions for the group. */
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
