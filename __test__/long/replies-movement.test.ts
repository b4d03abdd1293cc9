import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { closeBroker } from '../harness/broker';
import { Fleet } from '../replies/fleet';
import { expectUnharmed, joining, killed, leaving, rollingRestart } from '../replies/movement';

const TIMEOUT = 10 * 60_000;
const REQUESTS = 3000;
let fleet: Fleet;

afterEach(() => fleet.dispose());
afterAll(closeBroker);

describe('A2 thousands of requests while clients come and go', () => {
  test(
    'one client becomes four',
    async () => {
      fleet = await Fleet.create(6);
      expectUnharmed('joining', await joining(fleet, { requests: REQUESTS }));
    },
    TIMEOUT,
  );

  test(
    'one of four leaves',
    async () => {
      fleet = await Fleet.create(6);
      expectUnharmed('leaving', await leaving(fleet, { requests: REQUESTS }));
    },
    TIMEOUT,
  );

  test(
    'three are restarted one after the other, three times over',
    async () => {
      fleet = await Fleet.create(6);
      expectUnharmed('rolling restart', await rollingRestart(fleet, { requests: REQUESTS, rounds: 3 }));
    },
    TIMEOUT,
  );

  test(
    'one is killed and replaced, and nobody waits for its session to end',
    async () => {
      const sessionTimeout = 30_000;
      fleet = await Fleet.create(6, { consumer: { sessionTimeout } } as never);
      const reports = await killed(fleet, { requests: REQUESTS });
      expectUnharmed('killed', reports);
      for (const { slowestFast } of reports) expect(slowestFast).toBeLessThan(sessionTimeout / 2);
    },
    TIMEOUT,
  );
});
