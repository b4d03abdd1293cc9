import { AssignerProtocol } from '../../kafkajs/group/assigner-protocol.js';
import { matches } from '../../kafkajs/group/subscriptions.js';
import type { GroupDescription } from '../../kafkajs/types/index.js';
import { usesConsumerProtocol, type Visit } from './visit.js';
import { counted } from './finding.js';

/** kafkajs's assigner, which a server offers unless `consumer.partitionAssigners` says otherwise, and NestJS's of clients. */
const SERVER_PROTOCOL = 'RoundRobinAssigner';
const CLIENT_PROTOCOL = 'NestReplyPartitionAssigner';

interface Member {
  readonly groupId: string;
  readonly role: 'server' | 'client';
  /** Names of the assigners that it offers; undefined if they are not known. */
  readonly protocols: readonly string[] | undefined;
  /** Topics that it subscribes to; of an expression, all that match it. */
  readonly topics: readonly (string | RegExp)[];
  readonly isNewer: boolean;
}

/** Checks the members of the application's groups. */
export async function checkGroups(visit: Visit): Promise<void> {
  const members = membersOf(visit);
  if (members.some(({ isNewer }) => isNewer)) await checkProtocol(visit);
  for (const member of members) {
    let group: GroupDescription | undefined;
    try {
      ({
        groups: [group],
      } = await visit.admin.describeGroups([member.groupId]));
    } catch (error) {
      // Why is reported by the check of access.
      visit.diagnoses.note(`Group ${member.groupId} cannot be described: ${(error as Error).message}`);
      continue;
    }
    if (group !== undefined) compare(visit, member, group);
  }
  visit.diagnoses.checked(counted(members.length, 'group'));
}

/** Checks whether brokers that know the consumer protocol have it switched on; older ones are reported with their listeners. */
async function checkProtocol({ brokerSetting, diagnoses }: Visit): Promise<void> {
  const setting = 'group.coordinator.rebalance.protocols';
  const protocols = await brokerSetting(setting);
  if (protocols === undefined || protocols.split(',').some((name) => name.trim() === 'consumer')) return;
  diagnoses.error('group-protocol', {
    what: `The brokers do not offer the group protocol "consumer" (KIP-848): ${setting} is ${protocols}`,
    why: 'consumer.groupProtocol asks for it; the coordinator refuses it (UNSUPPORTED_VERSION)',
    fix: `consumer.groupProtocol: 'classic', or ${setting}=${protocols},consumer in server.properties`,
  });
}

/** Whether the application has custom partition assigners. */
const hasAssigners = (options: Readonly<Record<string, unknown>>): boolean =>
  ((options['consumer'] ?? {}) as { partitionAssigners?: unknown }).partitionAssigners !== undefined;

function membersOf({ servers, clients }: Visit): Member[] {
  return [
    ...servers.map(({ groupId, options, handlers }): Member => ({
      groupId,
      role: 'server',
      protocols: hasAssigners(options) ? undefined : [SERVER_PROTOCOL],
      topics: handlers.map(({ pattern }) => pattern),
      isNewer: usesConsumerProtocol(options),
    })),
    ...clients
      .filter(
        ({ options, requests }) =>
          requests.length > 0 && options['replies'] !== 'assigned' && options['producerOnlyMode'] !== true,
      )
      .map(({ groupId, options, requests }): Member => ({
        groupId,
        role: 'client',
        protocols: [CLIENT_PROTOCOL],
        topics: requests.map(({ replyTopic }) => replyTopic),
        isNewer: usesConsumerProtocol(options),
      })),
  ];
}

function compare({ diagnoses }: Visit, member: Member, group: GroupDescription): void {
  const { groupId, role, protocols } = member;
  if (group.members.length === 0) return;
  const isOther = group.protocolType !== '' && group.protocolType !== 'consumer';
  const option = `consumer.groupId: '<a name that nobody else uses>'`;
  if (isOther) {
    diagnoses.error('group-kind', {
      what: `Group ${groupId} is used for something else: its members are of kind "${group.protocolType}"`,
      why: 'A group has members of one kind; the coordinator refuses others (INCONSISTENT_GROUP_PROTOCOL)',
      fix: option,
    });
    return;
  }
  if (
    protocols !== undefined &&
    !member.isNewer &&
    group.protocol !== '' &&
    !protocols.includes(group.protocol)
  ) {
    diagnoses.error('group-assigner', {
      what: `Group ${groupId} is divided by "${group.protocol}", and this ${role} offers ${protocols.map((name) => `"${name}"`).join(', ')}`,
      why: 'All members of a group have to offer one assigner in common; the coordinator refuses others (INCONSISTENT_GROUP_PROTOCOL)',
      fix:
        role === 'server' && group.protocol === 'cooperative-sticky'
          ? 'consumer.partitionAssigners: [PartitionAssigners.cooperativeSticky]'
          : option,
    });
    return;
  }
  const strangers = strangersIn(member, group);
  if (strangers.length > 0) {
    diagnoses.warning('group-shared', {
      what: `Group ${groupId} has members that read other topics (${strangers.slice(0, 5).join(', ')})`,
      why: 'Members of a group are to read the same topics: partitions of yours may be given to members that do not handle them',
      fix: option,
    });
  }
}

/** Topics that members of the group subscribe to and the application does not. */
function strangersIn({ topics }: Member, { members }: GroupDescription): string[] {
  const theirs = members.flatMap(({ memberMetadata }) => {
    try {
      return AssignerProtocol.MemberMetadata.decode(memberMetadata)?.topics ?? [];
    } catch {
      return []; // Written by another kind of client.
    }
  });
  // Members announce names where their handlers have expressions.
  const isOurs = (name: string): boolean =>
    topics.some((topic) => (typeof topic === 'string' ? topic === name : matches(topic, name)));
  return [...new Set(theirs)].filter((name) => !isOurs(name));
}
