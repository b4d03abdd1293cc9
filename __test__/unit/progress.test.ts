import { describe, expect, it } from 'vitest';
import { Progress } from '../../lib/kafkajs/consumer/progress.js';

/** A partition as the core and its task tell of it. */
class Partition {
  position = 5;
  inHand = 1;
  highWatermark = 10;
  isPaused = false;
  isResting = false;
  handledApart = 0;
  readonly #progress = new Progress({
    isPaused: () => this.isPaused,
    task: () => this,
  });

  /** How long it stands still at this time. */
  at(now: number): number {
    const { position, inHand, highWatermark } = this;
    const [seen] = this.#progress.look([{ topic: 't', partition: 0, position, inHand, highWatermark }], now);
    return seen!.stalledFor;
  }

  ends(end: number): void {
    this.#progress.ends('t', 0, end);
  }
}

describe('how long a partition stands still', () => {
  it('is counted from the last time at which something was handled', () => {
    const partition = new Partition();
    expect([partition.at(0), partition.at(100)]).toEqual([0, 100]);
    partition.position = 6;
    expect([partition.at(150), partition.at(250)]).toEqual([0, 100]);
  });

  it('is nothing while records behind one that fails are handled, and as many more are taken', () => {
    const partition = new Partition();
    partition.at(0);
    partition.handledApart = 50;
    expect([partition.at(100), partition.at(180)]).toEqual([0, 80]);
  });

  it.each(['isPaused', 'isResting'] as const)('is nothing while %s', (condition) => {
    const partition = new Partition();
    partition[condition] = true;
    expect([partition.at(0), partition.at(100)]).toEqual([0, 0]);
    partition[condition] = false;
    expect(partition.at(150)).toBe(50);
  });

  it('is nothing where nothing waits, as far as is known', () => {
    const partition = new Partition();
    partition.inHand = 0;
    partition.highWatermark = 5;
    expect([partition.at(0), partition.at(100)]).toEqual([0, 0]);
    // A broker that was asked knows better.
    partition.ends(6);
    expect(partition.at(150)).toBe(50);
  });
});
