import type { ClientReport, ConsumerReport, ObservedClient } from '../kafkajs/instrumentation/clients.js';
import type { CheckedHealthOptions } from './options.js';

/** Longest rebalance that still counts as ready, in milliseconds: a deployment causes shorter ones. */
const LONGEST_REBALANCE = 60_000;

/** A problem of one client, or of a group that no client has. */
interface HealthProblem {
  /** Description: which client, what is wrong, and since when. */
  readonly text: string;
  /** The `clientId`; absent where there is no client. */
  readonly clientId?: string;
  /** The consumer group; absent for producers. */
  readonly groupId?: string;
  /** Since when, as an ISO date; absent if it is not known. */
  readonly since?: string;
}

/** The result of a probe. */
export interface Judgement {
  readonly problems: HealthProblem[];
  /** The state of each client. */
  readonly details: {
    readonly consumers: object[];
    readonly producers: object[];
  };
}

/** Checks the clients for a probe. */
export async function judge(
  observed: Iterable<ObservedClient>,
  options: CheckedHealthOptions,
): Promise<Judgement> {
  const all = [...observed].map((client) => ({ client, report: client.report() }));
  const asked = all.filter(({ report }) => isOfGroup(report, options.groups));
  const problems = await Promise.all(
    asked.map(async ({ client, report }) => {
      const problem = problemOf(report, options);
      if (problem !== undefined || options.probe !== 'readiness') return problem;
      return unanswered(client, report, options);
    }),
  );
  const reports = asked.map(({ report }) => report);
  return {
    problems: [
      ...unknownGroups(
        all.map(({ report }) => report),
        options.groups,
      ),
      ...problems.filter((problem) => problem !== undefined),
    ],
    details: {
      consumers: reports.filter((report) => report.role === 'consumer').map(consumerDetails),
      producers: reports.filter((report) => report.role === 'producer').map(({ clientId }) => ({ clientId })),
    },
  };
}

/** The consumer group of a client; undefined for producers. */
const groupOf = (report: ClientReport): string | undefined =>
  report.role === 'producer' ? undefined : report.groupId;

function isOfGroup(report: ClientReport, groups: readonly string[] | undefined): boolean {
  const group = groupOf(report);
  return groups === undefined || group === undefined || groups.includes(group);
}

/** The groups that are asked about and that no client has. */
function unknownGroups(reports: readonly ClientReport[], groups: readonly string[] = []): HealthProblem[] {
  const known = new Set(reports.flatMap((report) => groupOf(report) ?? []));
  const there = known.size === 0 ? 'none is there' : `there are ${[...known].toSorted().join(', ')}`;
  return groups
    .filter((groupId) => !known.has(groupId))
    .map((groupId) => ({
      text: `no server or client of group ${groupId} is in this process: ${there}`,
      groupId,
    }));
}

const lagOf = ({ partitions }: ConsumerReport): number => partitions.reduce((sum, { lag }) => sum + lag, 0);

function consumerDetails(report: ConsumerReport): object {
  const { groupId, clientId, state, since, partitions } = report;
  const lag = lagOf(report);
  return { groupId, clientId, state, since: isoOf(since), partitions: partitions.length, lag };
}

const isoOf = (time: number): string => new Date(time).toISOString();

/** Whether and why a client fails the probe, without a question to the brokers. */
function problemOf(report: ClientReport, options: CheckedHealthOptions): HealthProblem | undefined {
  if (report.role === 'consumer') return consumerProblem(report, options);
  // What connects is alive, whatever comes of it; and what joins no group is never waited for by `startup`.
  const isAsked = options.probe === 'readiness' || (options.probe === 'startup' && isToJoin(report));
  if (!isAsked || report.state === 'connected') return undefined;
  const { role, clientId, since } = report;
  const groupId = groupOf(report);
  const name = `${role} ${clientId}${groupId === undefined ? '' : ` of group ${groupId}`}`;
  return {
    text: `${name} ${conditionOf(report)}, since ${isoOf(since)}`,
    clientId,
    ...(groupId !== undefined && { groupId }),
    since: isoOf(since),
  };
}

const isToJoin = (report: ClientReport): boolean => report.role !== 'producer' && report.isToJoin;

/** What a client is doing, or what it has failed with. */
function conditionOf({ state, error }: Pick<ClientReport, 'state' | 'error'>): string {
  if (state === 'failed') return `could not start: ${error?.message}`;
  return `is ${state}${error === undefined ? '' : ` after ${error.message}`}`;
}

function consumerProblem(report: ConsumerReport, options: CheckedHealthOptions): HealthProblem | undefined {
  const { groupId, clientId, state, since, error } = report;
  const problem = (what: string, from = since): HealthProblem => ({
    text: `consumer ${clientId} of group ${groupId} ${what}, since ${isoOf(from)}`,
    clientId,
    groupId,
    since: isoOf(from),
  });
  if (state === 'ended') return problem(`has crashed and does not start again: ${error?.message}`);
  const { probe } = options;
  if (probe === 'startup') {
    return report.isToJoin && !report.hasJoined
      ? problem(`has not joined yet: it ${conditionOf(report)}`)
      : undefined;
  }
  const stall = stallOf(report, options.maxStall);
  if (stall !== undefined) return problem(stall.text, stall.since);
  if (probe === 'liveness' || !report.isToJoin) return undefined;
  const isOld = Date.now() - since > LONGEST_REBALANCE;
  if (state !== 'running' && !(state === 'rebalancing' && !isOld)) {
    return problem(conditionOf(report));
  }
  if (options.requireAssignment && state === 'running' && report.partitions.length === 0) {
    return problem('has no partition');
  }
  const lag = lagOf(report);
  if (options.maxLag === undefined || lag <= options.maxLag) return undefined;
  return {
    text: `consumer ${clientId} of group ${groupId} has ${lag} messages to handle, more than ${options.maxLag}`,
    clientId,
    groupId,
  };
}

/** The partition that has been stalled longest, if that is too long. */
function stallOf(
  { partitions }: ConsumerReport,
  limit = Number.POSITIVE_INFINITY,
): { text: string; since: number } | undefined {
  const [worst] = partitions.toSorted((a, b) => b.stalledFor - a.stalledFor);
  if (worst === undefined || worst.stalledFor === 0 || worst.stalledFor < limit) return undefined;
  const { topic, partition, position, inHand, stalledFor } = worst;
  return {
    text: `handles nothing of ${topic} [${partition}] at ${position} (${inHand} in hand)`,
    since: Date.now() - stalledFor,
  };
}

async function unanswered(
  client: ObservedClient,
  report: ClientReport,
  options: CheckedHealthOptions,
  deadline = performance.now() + options.timeout,
): Promise<HealthProblem | undefined> {
  const { clientId, role, since } = report;
  try {
    await client.ping(Math.max(Math.ceil(deadline - performance.now()), 0));
    return undefined;
  } catch (error) {
    // The client may have crashed meanwhile, which closed its connection: that says nothing about the brokers.
    const now = client.report();
    const problem = problemOf(now, options);
    if (problem !== undefined) return problem;
    // It has reconnected since: ask over the new connection.
    if (now.since !== since && performance.now() < deadline)
      return unanswered(client, now, options, deadline);
    const reason = error instanceof Error ? error.message : String(error);
    const text = `no broker has answered ${role} ${clientId} within ${options.timeout} ms: ${reason}`;
    const groupId = groupOf(report);
    return { text, clientId, ...(groupId !== undefined && { groupId }) };
  }
}
