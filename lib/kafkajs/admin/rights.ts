import type { NativeRights } from '../../native/index.js';
import type { AclOperationTypes, AuthorizedOperations } from '../types/index.js';
import { ask, asking, type AdminContext } from './context.js';

/** The operations that this client is authorized for on topics and groups. An extension of kafkajs. */
export async function describeAuthorizedOperations(
  context: AdminContext,
  { topics = [], groups = [] }: { topics?: readonly string[]; groups?: readonly string[] },
): Promise<{ topics: AuthorizedOperations[]; groups: AuthorizedOperations[] }> {
  const [ofTopics, ofGroups] = await Promise.all([
    topics.length === 0 ? [] : ask(context, (native) => native.topicRights([...topics], asking(context))),
    groups.length === 0 ? [] : ask(context, (native) => native.groupRights([...groups], asking(context))),
  ]);
  return { topics: ofTopics.map(rightsOf), groups: ofGroups.map(rightsOf) };
}

const rightsOf = ({ outcome, operations }: NativeRights): AuthorizedOperations => ({
  name: outcome.name,
  errorCode: outcome.code,
  operations: operations as AclOperationTypes[],
});
