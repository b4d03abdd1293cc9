/** The process that sends requests and measures how long their replies take. */
import { firstValueFrom, timeout } from 'rxjs';
import { peakResidentMiB } from '../machine.mjs';
import { createClient, kafkaOptions } from './candidate.mjs';
import { driveLoad } from './load.mjs';
import { createPayload, indexOf } from './payload.mjs';
import { serveRole } from './role.mjs';

const PROBE_TIMEOUT_MS = 3_000;
const PROBES = 20;

let client;
let send;

serveRole({
  async start(config) {
    const payload = createPayload(config.payloadBytes);
    client = await createClient(config.candidate, kafkaOptions(config));
    client.subscribeToResponseOf(config.topic);
    await client.connect();
    send = (index) => client.send(config.topic, payload(index));
    await probe();
  },
  async drive(load) {
    const window = await driveLoad(send, (index, reply) => indexOf(reply) === index, load);
    return { ...window, peakResidentMiB: peakResidentMiB() };
  },
  async close() {
    await client?.close();
  },
});

/**
 * Waits until a request is answered. Consumers of both candidates may settle on "latest" only after they have said
 * that they are ready, so the first requests can go unanswered.
 */
async function probe(attempt = 1) {
  try {
    await firstValueFrom(send(0).pipe(timeout(PROBE_TIMEOUT_MS)));
  } catch (error) {
    if (attempt === PROBES)
      throw new Error(`no reply to ${PROBES} requests: ${error.message}`, { cause: error });
    await new Promise((resolve) => {
      setTimeout(resolve, 250);
    });
    await probe(attempt + 1);
  }
}
