import { describe, expect, it } from 'vitest';
import { checkCluster } from '../../lib/command/doctor/clusters.js';
import { Diagnoses } from '../../lib/command/doctor/finding.js';
import { clustersOf } from '../../lib/command/doctor/visit.js';
import type { InspectedServer } from '../../lib/command/inspection/application.js';

const server = (client: object): InspectedServer =>
  ({ options: { client }, clientId: 'c', groupId: 'g', handlers: [] }) as unknown as InspectedServer;

describe('the clusters of an application', () => {
  it('are told apart by options that have themselves in them', () => {
    const provider: Record<string, unknown> = { name: 'tokens' };
    provider['self'] = provider;
    const sasl = { mechanism: 'oauthbearer', provider };
    const servers = [
      server({ brokers: ['a:1'], sasl }),
      server({ brokers: ['a:1'], sasl }),
      server({ brokers: ['b:1'], sasl }),
    ];
    expect(clustersOf({ servers, clients: [] }).map((use) => use.servers.length)).toEqual([2, 1]);
  });
});

function brokers(): never {
  throw new Error('no registry of brokers');
}

describe('a cluster whose brokers a function does not say', () => {
  it('is a finding, and the error its reason', async () => {
    const diagnoses = new Diagnoses();
    const config = { brokers, retry: { retries: 0 } } as never;
    await checkCluster({ config, servers: [], clients: [] }, 1, diagnoses);
    expect(diagnoses.diagnosis().findings).toEqual([
      expect.objectContaining({
        id: 'connection',
        what: 'No connection to the brokers of a function, which has failed',
        why: expect.stringContaining('no registry of brokers') as string,
      }),
    ]);
  });
});
