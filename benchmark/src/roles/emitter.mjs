/** The process that emits events and measures how long their acknowledgement takes. */
import { lastValueFrom } from 'rxjs';
import { peakResidentMiB } from '../machine.mjs';
import { createClient, kafkaOptions } from './candidate.mjs';
import { driveLoad } from './load.mjs';
import { createPayload } from './payload.mjs';
import { serveRole } from './role.mjs';

let client;
let emit;

serveRole({
  async start(config) {
    const payload = createPayload(config.payloadBytes);
    client = await createClient(config.candidate, kafkaOptions({ ...config, producerOnlyMode: true }));
    await client.connect();
    emit = (index) => client.emit(config.topic, payload(index));
    await lastValueFrom(emit(0));
  },
  async drive(load) {
    const window = await driveLoad(emit, () => true, load);
    return { ...window, peakResidentMiB: peakResidentMiB() };
  },
  async close() {
    await client?.close();
  },
});
