import { afterAll, afterEach, beforeEach, describe, test } from 'vitest';
import { closeBroker } from '../harness/broker';
import { Fleet } from '../replies/fleet';
import {
  expectClientsMigrated,
  expectNothingLost,
  expectServersMigrated,
  migrateClients,
  migrateServers,
  type Migration,
} from '../replies/migration';

const TIMEOUT = 10 * 60_000;
const there = { from: 'stock', to: 'native', instances: 3 } as const;
const back = { from: 'native', to: 'stock', instances: 3 } as const;
let fleet: Fleet;

beforeEach(async () => {
  fleet = await Fleet.create(6);
});

afterEach(() => fleet.dispose());
afterAll(closeBroker);

describe('A3 the members of a group are replaced one by one, under load', () => {
  test.each([there, back])(
    'servers: $from by $to',
    async (migration) => {
      const all: Migration = { ...migration, requests: 3000 };
      const seen = await migrateServers(fleet, all);
      expectServersMigrated(`servers: ${all.from} → ${all.to}`, seen);
    },
    TIMEOUT,
  );

  test.each([there, back])(
    'clients: $from by $to',
    async (migration) => {
      const all: Migration = { ...migration, requests: 1000 };
      expectClientsMigrated(`clients: ${all.from} → ${all.to}`, await migrateClients(fleet, all));
    },
    TIMEOUT,
  );

  test.each([there, back])(
    'clients: $from by $to, in the order in which nobody loses a reply',
    async (migration) => {
      const all: Migration = { ...migration, requests: 1000 };
      const seen = await migrateClients(fleet, all, { inOrder: true });
      expectNothingLost(`clients in order: ${all.from} → ${all.to}`, seen);
    },
    TIMEOUT,
  );
});
