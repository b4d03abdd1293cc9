import { afterAll, afterEach, beforeEach, describe, test } from 'vitest';
import { closeBroker } from '../harness/broker';
import { Fleet } from './fleet';
import { expectUnharmed, joining, killed, leaving, rollingRestart } from './movement';

let fleet: Fleet;

beforeEach(async () => {
  fleet = await Fleet.create(6, { consumer: { sessionTimeout: 6000 } } as never);
});

afterEach(() => fleet.dispose());
afterAll(closeBroker);

describe('A2 requests while clients come and go', () => {
  test('one client becomes four', async () => {
    expectUnharmed('joining', await joining(fleet, { requests: 150 }));
  });

  test('one of four leaves', async () => {
    expectUnharmed('leaving', await leaving(fleet, { requests: 200 }));
  });

  test('three are restarted one after the other', async () => {
    expectUnharmed('rolling restart', await rollingRestart(fleet, { requests: 300, rounds: 1 }));
  });

  test('one is killed and replaced', async () => {
    expectUnharmed('killed', await killed(fleet, { requests: 300 }));
  });
});
