import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { ignore } from '../../lib/application/callbacks.js';
import { Lifecycle, unlessAborted } from '../../lib/lifecycle.js';

/** Something that opens when it is told to, and keeps count. */
class Thing {
  readonly life = new Lifecycle('The thing');
  open = 0;
  gates: { open: () => void; fail: (error: Error) => void }[] = [];
  readonly events: string[] = [];

  connect(): Promise<void> {
    return this.life.start('connect', {
      open: async (signal) => {
        this.open++;
        await unlessAborted(
          new Promise<void>((resolve, reject) => {
            this.gates.push({ open: resolve, fail: reject });
          }),
          signal,
        );
      },
      undo: async () => {
        await turn();
        this.open--;
      },
      opened: () => this.events.push(`opened ${this.life.state}`),
    });
  }

  disconnect(): Promise<boolean> {
    return this.life.stop(
      'disconnect',
      async () => {
        await turn();
        this.open--;
      },
      { stopped: () => this.events.push(`closed ${this.life.state}`) },
    );
  }
}

const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value ?? 'done',
    (error: Error) => error.message,
  );

const INTERRUPTED = 'The thing was stopped while it was starting';

describe('a lifecycle', () => {
  it('starts once, whoever asks at once', async () => {
    const thing = new Thing();
    const both = [thing.connect(), thing.connect()];
    expect([thing.life.state, thing.open]).toEqual(['connecting', 1]);
    thing.gates[0]?.open();
    await Promise.all(both);
    expect([thing.life.state, thing.open, thing.events]).toEqual(['ready', 1, ['opened ready']]);
  });

  it('interrupts a start that is stopped, which cleans up before the stop resolves', async () => {
    const thing = new Thing();
    const connecting = outcome(thing.connect());
    expect(await thing.disconnect()).toBe(false);
    expect([await connecting, thing.life.state, thing.open, thing.events]).toEqual([
      INTERRUPTED,
      'idle',
      0,
      [],
    ]);
  });

  it('starts again behind a stop, and not before it is over', async () => {
    const thing = new Thing();
    const first = thing.connect();
    thing.gates[0]?.open();
    await first;
    const stopped = thing.disconnect();
    const again = thing.connect();
    expect([thing.life.state, thing.gates.length]).toEqual(['closing', 1]);
    expect(await stopped).toBe(true);
    await vi.waitFor(() => expect(thing.gates).toHaveLength(2));
    thing.gates[1]?.open();
    await again;
    expect([thing.life.state, thing.open]).toEqual(['ready', 1]);
    expect(thing.events).toEqual(['opened ready', 'closed connecting', 'opened ready']);
  });

  it('is what it was when a start fails, and may start again', async () => {
    const thing = new Thing();
    const failing = outcome(thing.connect());
    thing.gates[0]?.fail(new Error('no broker'));
    await turn();
    // The first one cleans up: this is another.
    const again = thing.connect();
    expect(await failing).toBe('no broker');
    await vi.waitFor(() => expect(thing.gates).toHaveLength(2));
    thing.gates[1]?.open();
    await again;
    expect([thing.life.state, thing.open]).toEqual(['ready', 1]);
  });

  it('has a start reject with what makes it impossible', async () => {
    const thing = new Thing();
    const connecting = outcome(thing.connect());
    expect(thing.life.fail(new Error('fatal'))).toBe(true);
    expect(await connecting).toBe('fatal');
    expect(thing.life.fail(new Error('late'))).toBe(false);
  });

  it('that was given up does not start', async () => {
    const thing = new Thing();
    thing.life.retire();
    expect(await outcome(thing.connect())).toBe(INTERRUPTED);
  });

  it('takes any order of calls, and ends as the last one says', async () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    for (let round = 0; round < 300; round++) {
      const thing = new Thing();
      const calls: Promise<unknown>[] = [];
      let isUp = false;
      for (let step = 0; step < 12; step++) {
        const choice = random(4);
        if (choice === 0 && thing.life.state !== 'ready') {
          calls.push(thing.connect().catch(ignore));
          isUp = true;
        } else if (choice === 1) {
          calls.push(thing.disconnect());
          isUp = false;
        } else if (choice === 2) thing.gates.at(-1)?.open();
        else await turn();
      }
      const opener = setInterval(() => {
        for (const gate of thing.gates) gate.open();
      }, 0);
      await Promise.all(calls);
      clearInterval(opener);
      expect([thing.life.state, thing.open], `round ${round}`).toEqual(isUp ? ['ready', 1] : ['idle', 0]);
    }
  });
});
