import { describe, expect, it } from 'vitest';
import type { ConsumerReport, ObservedClient } from '../../lib/kafkajs/instrumentation/clients.js';
import { judge } from '../../lib/terminus/judgement.js';
import { checkHealthOptions } from '../../lib/terminus/options.js';

const RUNNING: ConsumerReport = {
  role: 'consumer',
  groupId: 'billing-server',
  clientId: 'billing',
  isOfReplies: false,
  state: 'running',
  since: 1000,
  isToJoin: true,
  hasJoined: true,
  partitions: [],
  pendingRequests: 0,
  filtered: {},
};

/** A consumer that is as the reports say, one after the other, and whose brokers answer as the pings say. */
async function judged(reports: Partial<ConsumerReport>[], pings: (string | undefined)[]): Promise<string[]> {
  const client: ObservedClient = {
    report: () => ({ ...RUNNING, ...reports.shift() }),
    ping: async () => {
      const refusal = pings.shift();
      if (refusal !== undefined) throw new Error(refusal);
    },
  };
  const { problems } = await judge([client], checkHealthOptions({ probe: 'readiness', timeout: 60_000 }));
  // All that was to come has come.
  expect([reports, pings]).toEqual([[], []]);
  return problems.map(({ text }) => text);
}

describe('readiness, of a consumer', () => {
  it('is well where a broker answers', async () => {
    expect(await judged([{}], [undefined])).toEqual([]);
  });

  it('names the brokers where none answers', async () => {
    expect(await judged([{}, {}], ['timed out'])).toEqual([
      'no broker has answered consumer billing within 60000 ms: timed out',
    ]);
  });

  it('that crashes between its report and the question: names the crash, not the brokers', async () => {
    const crashed = { state: 'restarting', error: new Error('unusable') } as const;
    expect(await judged([{}, crashed], ['the client is closed'])).toEqual([
      `consumer billing of group billing-server is restarting after unusable, since ${new Date(1000).toISOString()}`,
    ]);
  });

  it('that has crashed and joined again meanwhile: the new connection is asked', async () => {
    expect(await judged([{}, { since: 2000 }], ['the client is closed', undefined])).toEqual([]);
  });
});
