import { expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { Copying, end, IMPATIENT } from '../copying/copying';
import { pause } from '../harness/wait';

const MINUTES = Number(process.env['COPYING_MINUTES'] ?? 4);
const PROCESSES = 3;
const PARTITIONS = 6;
/** Messages that are written between two faults. */
const MESSAGES = 2000;

test(
  'X2 copies once and in order, under kills of the processes and of the broker',
  { timeout: (MINUTES + 10) * 60_000 },
  async () => {
    await using broker = await startBroker({ properties: IMPATIENT });
    const copying = new Copying(broker, {
      topic: 'copied',
      partitions: PARTITIONS,
      failures: 0.001,
      upTo: 3,
    });
    const figures = { killed: 0, stopped: 0, 'broker killed': 0, 'broker restarted': 0 };
    try {
      await copying.open();
      const running = await Promise.all(Array.from({ length: PROCESSES }, () => copying.start()));
      const deadline = Date.now() + MINUTES * 60_000;
      for (let fault = 0; Date.now() < deadline; fault++) {
        const writing = copying.write(MESSAGES);
        await pause(Math.random() * 3000);
        if (fault % 4 === 3) {
          const signal = fault % 8 === 3 ? 'SIGKILL' : 'SIGTERM';
          await broker.restart({ signal });
          figures[signal === 'SIGKILL' ? 'broker killed' : 'broker restarted']++;
        } else {
          const victim = fault % PROCESSES;
          const signal = Math.random() < 0.7 ? 'SIGKILL' : 'SIGTERM';
          await end(running[victim] as never, signal);
          figures[signal === 'SIGKILL' ? 'killed' : 'stopped']++;
          running[victim] = await copying.start();
        }
        await writing;
        await pause(Math.random() * 3000);
      }
      await copying.untilDone(5 * 60_000);
      await copying.stop();
      const copies = await copying.copies();
      console.log('X2', JSON.stringify({ written: copying.written, ...figures }));
      expect(copies).toEqual(copying.expected());
    } finally {
      await copying.close();
    }
  },
);
