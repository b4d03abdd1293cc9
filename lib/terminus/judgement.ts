import type { ConsumerReport, ObservedClient, ProducerReport } from '../kafkajs/instrumentation/clients.js';
import type { CheckedHealthOptions } from './options.js';

/** Longest rebalance that still counts as ready, in milliseconds: a deployment causes shorter ones. */
const LONGEST_REBALANCE = 60_000;

/** A problem of one client. */
interface HealthProblem {
  /** Description: which client, what is wrong, and since when. */
  readonly text: string;
  /** The `clientId`. */
  readonly clientId: string;
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

type Report = ConsumerReport | ProducerReport;

/** Checks the clients for a probe. */
export async function judge(
  observed: Iterable<ObservedClient>,
  options: CheckedHealthOptions,
): Promise<Judgement> {
  const asked = [...observed]
    .map((client) => ({ client, report: client.report() }))
    .filter(({ report }) => isOfGroup(report, options.groups));
  const problems = await Promise.all(
    asked.map(async ({ client, report }) => {
      const problem = report.role === 'consumer' ? problemOf(report, options) : undefined;
      if (problem !== undefined || options.probe !== 'readiness') return problem;
      return unanswered(client, report, options);
    }),
  );
  const reports = asked.map(({ report }) => report);
  return {
    problems: problems.filter((problem) => problem !== undefined),
    details: {
      consumers: reports.filter((report) => report.role === 'consumer').map(consumerDetails),
      producers: reports.filter((report) => report.role === 'producer').map(({ clientId }) => ({ clientId })),
    },
  };
}

function isOfGroup(report: Report, groups: readonly string[] | undefined): boolean {
  return groups === undefined || report.role === 'producer' || groups.includes(report.groupId);
}

const lagOf = ({ partitions }: ConsumerReport): number => partitions.reduce((sum, { lag }) => sum + lag, 0);

function consumerDetails(report: ConsumerReport): object {
  const { groupId, clientId, state, since, partitions } = report;
  const lag = lagOf(report);
  return { groupId, clientId, state, since: isoOf(since), partitions: partitions.length, lag };
}

const isoOf = (time: number): string => new Date(time).toISOString();

function problemOf(report: ConsumerReport, options: CheckedHealthOptions): HealthProblem | undefined {
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
    return report.isToJoin && !report.hasJoined ? problem(`has not joined yet (it is ${state})`) : undefined;
  }
  const stall = stallOf(report, options.maxStall);
  if (stall !== undefined) return problem(stall.text, stall.since);
  if (probe === 'liveness' || !report.isToJoin) return undefined;
  const isOld = Date.now() - since > LONGEST_REBALANCE;
  if (state !== 'running' && !(state === 'rebalancing' && !isOld)) {
    return problem(`is ${state}${error === undefined ? '' : ` after ${error.message}`}`);
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
  report: Report,
  options: CheckedHealthOptions,
  deadline = Date.now() + options.timeout,
): Promise<HealthProblem | undefined> {
  const { clientId, role, since } = report;
  try {
    await client.ping(Math.max(deadline - Date.now(), 0));
    return undefined;
  } catch (error) {
    // The client may have crashed meanwhile, which closed its connection: that says nothing about the brokers.
    const now = client.report();
    const problem = now.role === 'consumer' ? problemOf(now, options) : undefined;
    if (problem !== undefined) return problem;
    // It has reconnected since: ask over the new connection.
    if (now.since !== since && Date.now() < deadline) return unanswered(client, now, options, deadline);
    const reason = error instanceof Error ? error.message : String(error);
    const text = `no broker has answered ${role} ${clientId} within ${options.timeout} ms: ${reason}`;
    return { text, clientId, ...(report.role === 'consumer' && { groupId: report.groupId }) };
  }
}
