import { expect } from 'vitest';
import { until } from '../harness/wait';
import { untilSent, type ClientReport, type Fleet, type Process } from './fleet';

/** Requests a second, of each client. */
const RATE = 60;

export interface Movement {
  /** Requests that each of the clients that stay sends at least. */
  requests: number;
}

/** What was seen, for the log of a long run. */
export function show(title: string, reports: ClientReport[]): void {
  const lines = reports.map(
    ({ sent, answered, lost, failed, slowest, slowestFast, assignments }) =>
      `  sent ${sent}, answered ${answered}, lost ${lost}, failed ${JSON.stringify(failed)}, ` +
      `slowest ${Math.round(slowest)} ms, of the fast ones ${Math.round(slowestFast)} ms, joins ${assignments.length}`,
  );
  const stories = reports
    .filter(({ lost }) => lost > 0)
    .map(({ assignments, joins, losses }) => {
      const start = joins[0]?.at ?? 0;
      const moves = assignments.map((each, index) => {
        const { at = 0, leads = false } = joins[index] ?? {};
        return `${at - start} → ${Object.values(each).join('/')}${leads ? ' (leads)' : ''}`;
      });
      const lost = losses.map(({ sentAt, partition }) => `${sentAt - start} → ${partition}`);
      return `  joins ${moves.join(', ')}; lost ${lost.join(', ')}`;
    });
  process.stderr.write(`${[title, ...lines, ...stories].join('\n')}\n`);
}

/** Nothing was lost, and no reply partition has moved. */
export function expectUnharmed(title: string, reports: ClientReport[]): void {
  show(title, reports);
  for (const { sent, answered, lost, wrong, failed, assignments } of reports) {
    expect({ lost, wrong, failed, answered }).toEqual({ lost: 0, wrong: 0, failed: {}, answered: sent });
    for (const assignment of assignments) expect(assignment).toEqual(assignments[0]);
  }
}

/** Clients that are connected one after the other and all at work. */
async function working(fleet: Fleet, names: string[]): Promise<Process<ClientReport>[]> {
  const clients: Process<ClientReport>[] = [];
  for (const name of names) {
    const client = await fleet.client(name);
    await client.load(RATE);
    clients.push(client);
  }
  return clients;
}

async function finish(clients: Process<ClientReport>[], requests: number): Promise<ClientReport[]> {
  await Promise.all(clients.map((client) => untilSent(client, requests)));
  return Promise.all(clients.map((client) => client.finish()));
}

/** One client becomes four, one by one. */
export async function joining(fleet: Fleet, { requests }: Movement): Promise<ClientReport[]> {
  await fleet.server();
  return finish(await working(fleet, ['c1', 'c2', 'c3', 'c4']), requests);
}

/** One of four leaves, and the first among them at that. */
export async function leaving(fleet: Fleet, { requests }: Movement): Promise<ClientReport[]> {
  await fleet.server();
  const [first, ...others] = await working(fleet, ['c1', 'c2', 'c3', 'c4']);
  const left = await (first as Process<ClientReport>).finish();
  return [left, ...(await finish(others, requests))];
}

/** Three clients are restarted one after the other, so many times over, while a fourth stays. */
export async function rollingRestart(
  fleet: Fleet,
  { requests, rounds }: Movement & { rounds: number },
): Promise<ClientReport[]> {
  await fleet.server();
  const [stays, ...rolling] = await working(fleet, ['stays', 'r1', 'r2', 'r3']);
  const reports: ClientReport[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, old] of rolling.entries()) {
      reports.push(await old.finish());
      const [fresh] = await working(fleet, [old.name]);
      rolling[index] = fresh as Process<ClientReport>;
    }
  }
  reports.push(...(await Promise.all(rolling.map((client) => client.finish()))));
  return [...(await finish([stays as Process<ClientReport>], requests)), ...reports];
}

/** One of four is killed, and another one takes its place while the group still counts on the dead one. */
export async function killed(fleet: Fleet, { requests }: Movement): Promise<ClientReport[]> {
  await fleet.server();
  const [victim, ...others] = await working(fleet, ['c1', 'c2', 'c3', 'c4']);
  await untilSent(victim as Process<ClientReport>, 30);
  await (victim as Process<ClientReport>).kill();
  const [fresh] = await working(fleet, ['c5']);
  await until(
    'the others have joined again',
    async () => {
      const reports = await Promise.all(others.map((other) => other.report()));
      return reports.every(({ assignments }) => assignments.length > 1);
    },
    60_000,
  );
  await until(
    'the new one has a partition',
    async () => {
      const { assignments } = await (fresh as Process<ClientReport>).report();
      return assignments.at(-1)?.[fleet.replyTopic] !== undefined;
    },
    60_000,
  );
  await (fresh as Process<ClientReport>).finish();
  return finish(others, requests);
}
