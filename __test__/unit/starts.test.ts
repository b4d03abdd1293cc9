import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { clients, observed, type ObservedClient } from '../../lib/kafkajs/instrumentation/clients.js';
import { ObservedStart } from '../../lib/kafkajs/instrumentation/starts.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const make = (): ObservedStart =>
  new ObservedStart(() => ({ role: 'server', groupId: 'g', clientId: 'c', isToJoin: true }));

const fails = async (): Promise<void> => {
  throw new Error('no broker');
};

const states = (): unknown[] => observed().map((client) => client.report());

const FAILED = { state: 'failed', error: new Error('no broker') };

/** A start that goes on until it is told to end. */
class Pending {
  end: (error?: Error) => void = () => undefined;
  readonly start = (): Promise<void> =>
    new Promise((resolve, reject) => {
      this.end = (error) => (error === undefined ? resolve() : reject(error));
    });
}

describe('a start that health probes see', () => {
  const kept: ObservedStart[] = [];
  const keep = (): ObservedStart => {
    const start = make();
    kept.push(start);
    return start;
  };

  afterEach(() => {
    for (const start of kept.splice(0)) start.end();
    expect(observed()).toEqual([]);
  });

  it('is seen while it goes on, and no more once it is done', async () => {
    const [start, pending] = [keep(), new Pending()];
    const done = start.during(pending.start);
    expect(states()).toMatchObject([{ role: 'server', groupId: 'g', clientId: 'c', state: 'connecting' }]);
    pending.end();
    await done;
    expect(states()).toEqual([]);
  });

  it('is seen after a failure, until it is tried again with success', async () => {
    const start = keep();
    await expect(start.during(fails)).rejects.toThrow('no broker');
    expect(states()).toMatchObject([FAILED]);
    await expect(start.during(fails)).rejects.toThrow('no broker');
    expect(states()).toMatchObject([FAILED]);
    await start.during(async () => undefined);
    expect(states()).toEqual([]);
  });

  it('is not seen any more once it is closed, though the start fails of that', async () => {
    const [start, pending] = [keep(), new Pending()];
    const done = start.during(pending.start);
    start.end();
    expect(states()).toEqual([]);
    pending.end(new Error('stopped'));
    await expect(done).rejects.toThrow('stopped');
    expect(states()).toEqual([]);
  });

  it('does not mind the end of an earlier one', async () => {
    const [start, before, after] = [keep(), new Pending(), new Pending()];
    const first = start.during(before.start);
    start.end();
    const second = start.during(after.start);
    before.end(new Error('stopped'));
    await expect(first).rejects.toThrow('stopped');
    expect(states()).toMatchObject([{ state: 'connecting' }]);
    after.end();
    await second;
    expect(states()).toEqual([]);
  });

  it('is forgotten with what the application has dropped after a failure', async () => {
    const held = keep();
    await expect(held.during(fails)).rejects.toThrow('no broker');
    for (let i = 0; i < 10; i++)
      await make()
        .during(fails)
        .catch(() => undefined);
    expect(observed().length).toBeGreaterThan(1);
    // What a turn of the event loop has dereferenced lives until its end.
    await turn();
    collectGarbage();
    expect(observed()).toEqual<ObservedClient[]>([held]);
    expect(clients.size).toBe(0);
  });
});
