/** The process that sends requests and measures how long their replies take. */
import { firstValueFrom, timeout } from 'rxjs';
import { sampleProcess } from '../machine.mjs';
import { createRequestApplication } from './application.mjs';
import { driveLoad, observed } from './load.mjs';
import { kafkaOptions, loadNest } from './nest.mjs';
import { createPayload, indexOf } from './payload.mjs';
import { serveRole } from './role.mjs';

const PROBE_TIMEOUT_MS = 3_000;
const PROBES = 20;

let client;
let send;
/** The server too, for a candidate without a network between them. */
let application;
let handled = 0;

serveRole({
  async start(config) {
    if (config.inProcess) {
      application = await createRequestApplication(config, () => handled++);
      await application.listen();
    }
    const startedAt = performance.now();
    const payload = createPayload(config.payloadBytes);
    const { createClient } = await loadNest(config.candidate);
    client = createClient(kafkaOptions(config));
    client.subscribeToResponseOf(config.topic);
    await client.connect();
    send = (index) => client.send(config.topic, payload(index));
    await probe();
    return { firstSeconds: (performance.now() - startedAt) / 1000, process: sampleProcess() };
  },
  async drive(load) {
    const handledBefore = handled;
    const window = await driveLoad(
      observed(send, (index, reply) => indexOf(reply) === index),
      load,
    );
    return { ...window, process: sampleProcess(), handled: handled - handledBefore };
  },
  async close() {
    await client?.close();
    await application?.close();
  },
});

/**
 * Waits until a request is answered. Consumers may settle on "latest" only after they have said
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
