import { codeOf } from '../errors/codes.js';
import type { NativeFoundGroup, NativeOutcome } from '../../native/index.js';
import {
  KafkaJSDeleteGroupsError,
  KafkaJSNonRetriableError,
  type KafkaJSProtocolError,
} from '../errors/index.js';
import type {
  DeleteGroupsResult,
  GroupDescription,
  GroupDescriptions,
  GroupOverview,
} from '../types/index.js';
import {
  ask,
  asking,
  changing,
  each,
  errorOfCode,
  lookingAtGroup,
  onCoordinator,
  type AdminContext,
} from './context.js';

/** Kafka's answer when a group with the consumer protocol (KIP-848) is described as one with the classic protocol. */
const GROUP_ID_NOT_FOUND = codeOf('GROUP_ID_NOT_FOUND');

/** librdkafka's answer for a group of another protocol than the consumers', such as Kafka Connect's. */
const OTHER_PROTOCOL = codeOf('_INVALID_ARG');
/** The state of a group that does not exist. */
const DEAD = 'Dead';

/** kafkajs's `listGroups()`. */
export async function listGroups(context: AdminContext): Promise<{ groups: GroupOverview[] }> {
  const found = await ask(context, (native) => native.groups(null, asking(context)));
  return { groups: found.map(({ groupId, protocolType }) => ({ groupId, protocolType })) };
}

/** kafkajs's `describeGroups()`; a group that does not exist is `Dead`. */
export async function describeGroups(
  context: AdminContext,
  groupIds: readonly string[],
): Promise<GroupDescriptions> {
  checkGroups(groupIds);
  return { groups: await each(groupIds, (groupId) => described(context, groupId)) };
}

const described = (context: AdminContext, groupId: string): Promise<GroupDescription> =>
  lookingAtGroup(() => onCoordinator(context, () => describe(context, groupId)));

async function describe(context: AdminContext, groupId: string): Promise<GroupDescription> {
  const [found] = await listed(context, groupId);
  if (found !== undefined && found.code !== 0 && found.code !== GROUP_ID_NOT_FOUND) {
    throw errorOfCode(found.code);
  }
  // A group that this client is not authorized to see is not listed either: only the coordinator tells the two cases
  // apart.
  if (found === undefined) {
    await ask(context, (native) => native.groupOffsets(groupId, null, asking(context)));
  }
  const { state = DEAD, protocolType = '', protocol = '', members = [] } = found ?? {};
  const description = { errorCode: 0, groupId, state, protocolType, protocol, members };
  return description as GroupDescription;
}

/** The group as the brokers list and describe it. What one of them fails to list is no matter if the coordinator knows of none. */
async function listed(context: AdminContext, groupId: string): Promise<NativeFoundGroup[]> {
  try {
    return await ask(context, (native) => native.groups(groupId, asking(context)));
  } catch (error) {
    const state = await stateOf(context, groupId).catch(() => undefined);
    if (state === DEAD) return [];
    throw error;
  }
}

/** A group's state, of which only its coordinator is asked; undefined for a group that is not one of consumers. */
async function stateOf(context: AdminContext, groupId: string): Promise<string | undefined> {
  const { outcome, state } = await ask(context, (native) => native.groupState(groupId, asking(context)));
  if (outcome.code === GROUP_ID_NOT_FOUND) return DEAD;
  if (outcome.code === OTHER_PROTOCOL) return undefined;
  if (outcome.code !== 0) throw errorOfCode(outcome.code, outcome.message);
  return state;
}

/** A group's state. */
export async function groupState(context: AdminContext, groupId: string): Promise<string> {
  const state = await lookingAtGroup(() => onCoordinator(context, () => stateOf(context, groupId)));
  return state ?? (await described(context, groupId)).state;
}

/** kafkajs's `deleteGroups()`. */
export async function deleteGroups(context: AdminContext, groupIds: string[]): Promise<DeleteGroupsResult[]> {
  checkGroups(groupIds);
  if (groupIds.length === 0) return [];
  const names = [...new Set(groupIds)];
  const outcomes = await deleteEach(context, names);
  const failed = outcomes.filter(({ code }) => code !== 0);
  if (failed.length > 0) {
    const groups = failed.map(({ name, code, message }) => ({
      groupId: name,
      errorCode: code,
      error: errorOfCode(code, message) as KafkaJSProtocolError,
    }));
    throw new KafkaJSDeleteGroupsError('Error in DeleteGroups', groups);
  }
  return outcomes.map(({ name }) => ({ groupId: name, errorCode: 0 }));
}

/** The outcome of each group; retried for groups whose coordinator is moving. */
async function deleteEach(context: AdminContext, names: readonly string[]): Promise<NativeOutcome[]> {
  const outcomes = new Map<string, NativeOutcome>();
  let open = [...names];
  const attempt = async (): Promise<void> => {
    const found = await ask(context, (native) => native.deleteGroups(open, changing(context, {})));
    for (const outcome of found) outcomes.set(outcome.name, outcome);
    const moving = found.filter(({ code }) => code !== 0 && errorOfCode(code).retriable);
    open = moving.map(({ name }) => name);
    if (moving[0]) throw errorOfCode(moving[0].code);
  };
  await onCoordinator(context, attempt).catch((error: unknown) => {
    // If a group has no answer at all, the error is thrown; otherwise the last answers are reported for each group.
    if (open.length === 0 || outcomes.size < names.length) throw error;
  });
  return [...outcomes.values()];
}

/** kafkajs's checks of `deleteGroups()`, with its texts; kafkajs does not check the arguments of `describeGroups()`. */
function checkGroups(groupIds: readonly string[]): void {
  // Typed arrays are refused: their `map` would turn promises into numbers.
  if (!Array.isArray(groupIds)) {
    throw new KafkaJSNonRetriableError(`Invalid groupIds array ${String(groupIds)}`);
  }
  const isInvalid = groupIds.some((groupId) => typeof groupId !== 'string');
  // kafkajs's text has whether there is an invalid name, not which one.
  if (isInvalid) throw new KafkaJSNonRetriableError(`Invalid groupId name: ${String(isInvalid)}`);
}
