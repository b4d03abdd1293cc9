/** The process that drains a topic without NestJS: the value decoded, and counted. */
import { Drain } from './drain.mjs';
import { messagesOf } from './raw-messages.mjs';
import { loadRaw } from './raw.mjs';
import { serveRole } from './role.mjs';

let consumer;

serveRole({
  /** Handles `warmUp` messages, then measures from the first to the last of the other `messages`. */
  async drain(config) {
    const { createConsumer } = await loadRaw(config.candidate);
    const drain = new Drain(config);
    const { indexOf } = messagesOf(config);
    const handle = (value) => drain.count(indexOf(value));
    consumer = await createConsumer(config, handle);
    await consumer.start();
    return Promise.race([drain.drained, consumer.failed]);
  },
  async close() {
    await consumer?.close();
  },
});
