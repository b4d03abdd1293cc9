/** The process that produces without NestJS and measures how long acknowledgements take. */
import { sampleProcess } from '../machine.mjs';
import { driveLoad } from './load.mjs';
import { messagesOf } from './raw-messages.mjs';
import { loadRaw } from './raw.mjs';
import { serveRole } from './role.mjs';

let producer;
let send;

serveRole({
  async start(config) {
    const startedAt = performance.now();
    const { createProducer } = await loadRaw(config.candidate);
    const { make } = messagesOf(config);
    const batch = (index) =>
      Array.from({ length: config.batchLength }, (_, place) => make(index * config.batchLength + place));
    producer = await createProducer(config);
    send = (index, finish) => {
      producer.send(batch(index)).then(() => finish(), finish);
    };
    await producer.send(batch(0));
    return { firstSeconds: (performance.now() - startedAt) / 1000, process: sampleProcess() };
  },
  async drive(load) {
    return { ...(await driveLoad(send, load)), process: sampleProcess() };
  },
  async close() {
    await producer?.close();
  },
});
