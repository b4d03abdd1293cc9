/** The process that sends requests and measures how long their replies take. */
import { firstValueFrom, timeout } from 'rxjs';
import { sampleMemory, sampleProcess } from '../machine.mjs';
import { createRequestApplication } from './application.mjs';
import { driveLoad, observed } from './load.mjs';
import { kafkaOptions, loadNest } from './nest.mjs';
import { PacedLoad } from './paced-load.mjs';
import { createPayload, indexOf } from './payload.mjs';
import { serveRole } from './role.mjs';

const PROBE_TIMEOUT_MS = 3_000;
const PROBES = 20;

let client;
let send;
/** The server too, for a candidate without a network between them. */
let application;
let handled = 0;
/** The load at a fixed rate, once there is one. */
let paced;

serveRole({
  async start(config) {
    if (config.traced) (await import('./tracing.mjs')).startTracing();
    if (config.inProcess) {
      application = await createRequestApplication(config, () => handled++);
      await application.listen();
    }
    const startedAt = performance.now();
    const payload = createPayload(config.payloadBytes);
    const { createClient } = await loadNest(config.candidate);
    client = createClient(kafkaOptions(config));
    const { topics, keys = 0 } = config;
    const message = (index) =>
      keys > 0 ? { key: `key-${index % keys}`, value: payload(index) } : payload(index);
    for (const topic of topics) client.subscribeToResponseOf(topic);
    await client.connect();
    send = (index) => client.send(topics[index % topics.length], message(index));
    await Promise.all(topics.map((_, index) => probe(index)));
    return { firstSeconds: (performance.now() - startedAt) / 1000, process: sampleProcess() };
  },
  async drive(load) {
    const handledBefore = handled;
    const window = await driveLoad(observed(send, isAnswer), load);
    return { ...window, process: sampleProcess(), handled: handled - handledBefore };
  },
  async pace(load) {
    paced = new PacedLoad(observed(send, isAnswer), load);
    const window = await paced.finished;
    return { ...window, process: sampleProcess() };
  },
  sample() {
    return { ...sampleMemory(), ...paced?.progress() };
  },
  async close() {
    await client?.close();
    await application?.close();
  },
});

/** Whether a reply is the one to the request with that number. */
function isAnswer(index, reply) {
  return indexOf(reply) === index;
}

/**
 * Waits until a request to the topic of that index is answered. Consumers may determine "latest" only after they have
 * reported to be ready, so the first requests can go unanswered.
 */
async function probe(index, attempt = 1) {
  try {
    await firstValueFrom(send(index).pipe(timeout(PROBE_TIMEOUT_MS)));
  } catch (error) {
    if (attempt === PROBES)
      throw new Error(`no reply to ${PROBES} requests: ${error.message}`, { cause: error });
    await new Promise((resolve) => {
      setTimeout(resolve, 250);
    });
    await probe(index, attempt + 1);
  }
}
