/** The process that drains a topic through an event handler. */
import { WORKER_CONFIG, WORKER_EVENTS } from './worker-channel.mjs';
import { createEventApplication } from './application.mjs';
import { Drain } from './drain.mjs';
import { loadNest } from './nest.mjs';
import { createPayload } from './payload.mjs';
import { serveRole } from './role.mjs';

let application;
let workers;

serveRole({
  /** Handles `warmUp` events, then measures from the first to the last call of the handler for the other `messages`. */
  async drain(config) {
    const { feed } = await loadNest(config.candidate);
    const bytes = feed && fillMemory(config);
    const { types = 1, warmUp, messages } = config;
    // With several types, one is handled.
    const drain = new Drain({
      ...config,
      warmUp: Math.floor(warmUp / types),
      messages: Math.floor((warmUp + messages) / types) - Math.floor(warmUp / types),
    });
    const onEvent = (index) => {
      if (index % types === 0) drain.count(index / types);
    };
    if (config.workers) receiveFromWorkers(config, onEvent);
    application = await createEventApplication({ ...config, fromBeginning: true }, onEvent);
    await application.listen();
    await feed?.(config.topic, bytes, config.payloadBytes);
    return drain.drained;
  },
  async close() {
    await application?.close();
    workers?.close();
  },
});

/** Counts what the handlers of worker threads tell of. */
function receiveFromWorkers(config, onEvent) {
  process.env[WORKER_CONFIG] = JSON.stringify(config);
  workers = new BroadcastChannel(WORKER_EVENTS);
  workers.addEventListener('message', ({ data }) => onEvent(data));
}

/** The topic's messages, concatenated and created beforehand, for a candidate that is fed from memory. */
function fillMemory({ payloadBytes, warmUp, messages }) {
  const payload = createPayload(payloadBytes);
  const bytes = Buffer.alloc((warmUp + messages) * payloadBytes);
  for (let index = 0; index < warmUp + messages; index++) {
    bytes.latin1Write(JSON.stringify(payload(index)), index * payloadBytes);
  }
  return bytes;
}
