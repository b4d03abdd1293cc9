/** The process that emits events, singly or in batches, and measures how long their acknowledgement takes. */
import { lastValueFrom } from 'rxjs';
import { sampleProcess } from '../machine.mjs';
import { driveLoad, observed } from './load.mjs';
import { kafkaOptions, loadNest } from './nest.mjs';
import { createPayload } from './payload.mjs';
import { serveRole } from './role.mjs';

let client;
let emit;

serveRole({
  async start(config) {
    const startedAt = performance.now();
    const { createClient } = await loadNest(config.candidate);
    client = createClient(kafkaOptions({ ...config, producerOnlyMode: true }));
    await client.connect();
    emit = emission(config);
    await lastValueFrom(emit(0));
    return { firstSeconds: (performance.now() - startedAt) / 1000, process: sampleProcess() };
  },
  async drive(load) {
    return { ...(await driveLoad(observed(emit, isSent), load)), process: sampleProcess() };
  },
  async close() {
    await client?.close();
  },
});

function emission({ topic, payloadBytes, batchLength }) {
  const payload = createPayload(payloadBytes);
  if (batchLength === 1) return (index) => client.emit(topic, payload(index));
  return (index) => {
    const messages = Array.from({ length: batchLength }, (_, place) => ({
      value: payload(index * batchLength + place),
    }));
    return client.emitBatch(topic, { messages });
  };
}

/** The contents of an acknowledgement differ between brokers and clients, so only its arrival is checked. */
function isSent() {
  return true;
}
