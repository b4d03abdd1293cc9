/** The process that drains a topic without NestJS: the value decoded as NestJS decodes it, and counted. */
import { Drain } from './drain.mjs';
import { indexOf } from './payload.mjs';
import { loadRaw } from './raw.mjs';
import { serveRole } from './role.mjs';

let consumer;

serveRole({
  /** Handles `warmUp` messages, then measures from the first to the last of the other `messages`. */
  async drain(config) {
    const { createConsumer } = await loadRaw(config.candidate);
    const drain = new Drain(config);
    const handle = (value) => drain.count(indexOf(JSON.parse(value.toString())));
    consumer = await createConsumer(config, handle);
    await consumer.start();
    return Promise.race([drain.drained, consumer.failed]);
  },
  async close() {
    await consumer?.close();
  },
});
