import { expect } from 'vitest';
import { committed, endOffsets } from '../harness/broker';
import type { Kind } from '../harness/transports';
import { until } from '../harness/wait';
import { expectUnharmed, show } from './movement';
import { untilSent, type ClientReport, type Fleet, type Process, type ServerReport } from './fleet';

/** Requests a second, of each client. */
const RATE = 40;

/** Longest that a request of the load is under way, also through a rebalance, in milliseconds. */
const LONGEST_REQUEST = 10_000;

/** What a migration of servers came to. */
export interface ServersMigrated {
  client: ClientReport;
  servers: ServerReport[];
  /** When stock servers were being closed. */
  stockClosings: { from: number; to: number }[];
}

/** What an instance is replaced by, in the order of the steps. */
export interface Migration {
  from: Kind;
  to: Kind;
  /** Instances that are replaced. */
  instances: number;
  /** Requests that the observing client, or each of the last clients, sends at least. */
  requests: number;
}

/**
 * The servers of one group are replaced one by one, by instances of the other kind, under the load of a client. Whoever was there
 * first leads, until it goes: so both kinds lead in turn.
 */
export async function migrateServers(
  fleet: Fleet,
  { from, to, instances, requests }: Migration,
): Promise<ServersMigrated> {
  const running: Process<ServerReport>[] = [];
  for (let index = 1; index <= instances; index += 1) running.push(await fleet.server(`s${index}`, from));
  const client = await fleet.client('observer');
  await client.load(RATE);
  const reports: ServerReport[] = [];
  const stockClosings: ServersMigrated['stockClosings'] = [];
  for (const [index, old] of running.entries()) {
    // The new instance joins before the old one leaves, as in a rolling update.
    const fresh = await fleet.server(`s${index + 1}-${to}`, to);
    const sent = (await client.report()).sent;
    await untilSent(client, sent + RATE);
    reports.push(await old.report());
    const closing = Date.now();
    await old.close();
    if (from === 'stock') stockClosings.push({ from: closing, to: Date.now() });
    running[index] = fresh;
    await everybodyHandles(running);
  }
  await untilSent(client, requests);
  await client.stop();
  const report = await client.report();
  await client.close();
  await untilAllCommitted(fleet);
  for (const server of running) {
    reports.push(await server.report());
    await server.close();
  }
  return { client: report, servers: reports, stockClosings };
}

/** How many requests a server has handled. */
async function count(server: Process<ServerReport>): Promise<number> {
  return perServer(await server.report());
}

/** Every server gets new requests: the group has given each its share. */
async function everybodyHandles(servers: Process<ServerReport>[]): Promise<void> {
  const before = await Promise.all(servers.map(count));
  await until(
    'every server handles requests',
    async () => {
      const now = await Promise.all(servers.map(count));
      return now.every((handled, index) => handled > (before[index] as number));
    },
    60_000,
  );
}

async function untilAllCommitted(fleet: Fleet): Promise<void> {
  for (const topic of fleet.topics) {
    const ends = await endOffsets(topic);
    await until(`everything on ${topic} is committed`, async () => {
      const offsets = await committed(`${fleet.name}-server`, topic);
      return Object.entries(ends).every(
        ([partition, end]) => end === 0 || offsets[Number(partition)] === end,
      );
    });
  }
}

/**
 * The clients of one group are replaced one by one, by instances of the other kind, while all of them send requests. Each is told to
 * send no more before it is closed, as an application's own shutdown does.
 *
 * `inOrder` is docs/migration.md's order, in which no reply partition below a stock client's becomes free: the highest goes first, or,
 * on the way back, the lowest, and before its successor comes.
 */
export async function migrateClients(
  fleet: Fleet,
  { from, to, instances, requests }: Migration,
  { inOrder = false } = {},
): Promise<Record<Kind, ClientReport[]>> {
  await fleet.server();
  const reports: Record<Kind, ClientReport[]> = { stock: [], native: [] };
  const running: Process<ClientReport>[] = [];
  const start = async (name: string, kind: Kind): Promise<Process<ClientReport>> => {
    // Stock would begin wherever the end is when it first fetches, and so may miss its first reply.
    const extra = kind === 'stock' ? { subscribe: { fromBeginning: true } } : {};
    const client = await fleet.client(name, kind, extra);
    await until(
      `${name} has a reply partition`,
      async () => (await client.report()).assignments.at(-1)?.[fleet.replyTopic] !== undefined,
      60_000,
    );
    await client.load(RATE);
    return client;
  };
  for (let index = 1; index <= instances; index += 1) running.push(await start(`c${index}`, from));
  const replaced = inOrder ? await byReplyPartition(fleet, running) : [...running];
  if (inOrder && from === 'stock') replaced.reverse();
  const fresh: Process<ClientReport>[] = [];
  for (const [index, old] of replaced.entries()) {
    const end = async (): Promise<number> => reports[from].push(await old.finish());
    const goesFirst = inOrder && from === 'native';
    if (goesFirst) await end();
    const successor = await start(`c${index + 1}-${to}`, to);
    fresh.push(successor);
    const { sent } = await successor.report();
    await untilSent(successor, sent + RATE);
    if (!goesFirst) await end();
  }
  await Promise.all(fresh.map((client) => untilSent(client, requests)));
  if (inOrder) {
    for (const client of (await byReplyPartition(fleet, fresh)).toReversed()) {
      reports[to].push(await client.finish());
    }
  } else {
    reports[to].push(...(await Promise.all(fresh.map((client) => client.finish()))));
  }
  return reports;
}

/** The client with the lowest reply partition first. */
async function byReplyPartition(
  { replyTopic }: Fleet,
  clients: Process<ClientReport>[],
): Promise<Process<ClientReport>[]> {
  const placed = await Promise.all(
    clients.map(async (client) => {
      const partition = (await client.report()).assignments.at(-1)?.[replyTopic] as number;
      return { client, partition };
    }),
  );
  return placed.toSorted((a, b) => a.partition - b.partition).map(({ client }) => client);
}

const perServer = ({ handled }: ServerReport): number =>
  Object.values(handled).reduce((sum, each) => sum + each, 0);

function showServers(title: string, { client, servers }: ServersMigrated): void {
  const { sent, answered, lost, failed, slowestFast } = client;
  const handled = servers.map(perServer);
  process.stderr.write(
    `${title}\n  sent ${sent}, answered ${answered}, lost ${lost}, failed ${JSON.stringify(failed)}, ` +
      `slowest fast one ${Math.round(slowestFast)} ms; handled ${handled.join(' + ')} = ` +
      `${handled.reduce((sum, each) => sum + each, 0)}\n`,
  );
}

/**
 * Every request has exactly one answer, and every server had its share. A reply may be lost only with a stock server that is closed:
 * it waits for its handlers, and not for the replies that it is sending.
 */
export function expectServersMigrated(title: string, seen: ServersMigrated): void {
  showServers(title, seen);
  const { sent, answered, lost, losses, wrong, failed } = seen.client;
  expect({ wrong, failed, answered }).toEqual({ wrong: 0, failed: {}, answered: sent - lost });
  for (const { sentAt } of losses) {
    const isUnderWay = ({ from, to }: { from: number; to: number }): boolean =>
      from - LONGEST_REQUEST <= sentAt && sentAt <= to;
    expect(seen.stockClosings.some(isUnderWay)).toBe(true);
  }
  for (const server of seen.servers) expect(perServer(server)).toBeGreaterThan(0);
}

/** In that order, nobody has lost a request or moved. */
export function expectNothingLost(title: string, { stock, native }: Record<Kind, ClientReport[]>): void {
  expectUnharmed(`${title}: stock`, stock);
  expectUnharmed(`${title}: native`, native);
}

/**
 * No native client has lost a request or moved. A stock client has lost only what it had asked for before it moved to another reply
 * partition, and it moves only while a stock client leads the group: that is what stock does among its own.
 */
export function expectClientsMigrated(title: string, { stock, native }: Record<Kind, ClientReport[]>): void {
  show(`${title}: stock`, stock);
  expectUnharmed(`${title}: native`, native);
  const led = stock.flatMap(({ joins }) => joins.filter(({ leads }) => leads).map(({ at }) => at));
  for (const { sent, answered, lost, wrong, failed, assignments, joins, losses } of stock) {
    expect({ wrong, failed, answered }).toEqual({ wrong: 0, failed: {}, answered: sent - lost });
    const partitions = assignments.map((each) => Object.values(each)[0]);
    const moves = joins.filter((_, index) => index > 0 && partitions[index] !== partitions[index - 1]);
    for (const { at } of moves) expect(led.some((time) => Math.abs(time - at) < 2000)).toBe(true);
    for (const { sentAt, partition } of losses) {
      expect(joins.some(({ at }, index) => at > sentAt && partitions[index] !== partition)).toBe(true);
    }
  }
}
