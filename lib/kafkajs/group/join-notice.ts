import type { ConsumerSettings } from '../../options/consumer.js';
import { valueOf, type NativeConsumer } from '../../native/index.js';
import { ignore, own } from '../../application/callbacks.js';
import type { Logger } from '../types/index.js';

/**
 * How long a join may last before it is logged, in milliseconds: by then healthy members have rejoined, notified by
 * their heartbeats (every 3 s).
 */
const ORDINARY = 5000;
/** How many members are listed. */
const NAMED = 5;

/** What the notice of a long join needs. */
export interface JoinNotice {
  readonly native: NativeConsumer;
  readonly settings: ConsumerSettings;
  readonly logger: Logger;
}

/**
 * Logs what a join is waiting for when it takes long. Otherwise there would be silence until the session of a killed
 * member times out.
 *
 * @returns a function that ends the watch, to be called when the join has succeeded or failed.
 */
export function noticeLongJoin({ native, settings, logger }: JoinNotice): () => void {
  let isOver = false;
  const tell = async (): Promise<void> => {
    const group = await describe(native, settings);
    if (isOver) return;
    logger.warn(
      `Still joining the group ${settings.groupId}${group}: the coordinator waits for members to join again. One that has gone without ` +
        'leaving (a kill, or SIGTERM without app.enableShutdownHooks()) is waited for until its sessionTimeout is over, one with running ' +
        'handlers at most for its rebalanceTimeout',
      { groupId: settings.groupId },
    );
  };
  const timer = setTimeout(() => own(tell(), ignore), ORDINARY);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

/** The group's state and members, if the coordinator describes them. */
async function describe(native: NativeConsumer, settings: ConsumerSettings): Promise<string> {
  try {
    const group = valueOf(await native.describeGroup(settings.groupId, true, settings.requestTimeoutMs));
    const names = group.members.map(({ clientId, clientHost }) => `${clientId} at ${clientHost}`);
    const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : '';
    const members = names.length === 0 ? '' : `, members: ${names.slice(0, NAMED).join(', ')}${more}`;
    return ` (${group.state}${members})`;
  } catch {
    // Not authorized to describe the group, or no answer: the notice goes without it.
    return '';
  }
}
