import { expect, test } from 'vitest';
import { startBroker } from './broker/start.mjs';
import { Copying, end, IMPATIENT } from './copying/copying';
import { until } from './harness/wait';

// Consume, transform, produce: judged by a reader of what is committed. The long one is __test__/long/copying.test.ts.

test('each message is copied once and in order, over a kill and a graceful restart', async () => {
  await using broker = await startBroker({ properties: IMPATIENT });
  const copying = new Copying(broker, { topic: 'copied', partitions: 3, failures: 0.002, upTo: 3 });
  try {
    await copying.open();
    const [first] = await Promise.all([copying.start(), copying.start()]);
    await copying.write(1500);
    await until('some are copied', async () => (await copying.committed()) > 300);
    await end(first as never, 'SIGKILL');
    const third = await copying.start();
    await copying.write(1500);
    await until('more are copied', async () => (await copying.committed()) > 1500);
    await end(third, 'SIGTERM');
    await copying.start();
    await copying.untilDone();
    await copying.stop();
    expect(await copying.copies()).toEqual(copying.expected());
  } finally {
    await copying.close();
  }
});
