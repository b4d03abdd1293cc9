/** The process that drains a topic through an event handler. */
import { createEventApplication } from './application.mjs';
import { Drain } from './drain.mjs';
import { loadNest } from './nest.mjs';
import { createPayload } from './payload.mjs';
import { serveRole } from './role.mjs';

let application;

serveRole({
  /** Handles `warmUp` events, then measures from the first to the last call of the handler for the other `messages`. */
  async drain(config) {
    const { feed } = await loadNest(config.candidate);
    const memory = feed && texts(config);
    const drain = new Drain(config);
    const onEvent = (index) => drain.count(index);
    application = await createEventApplication({ ...config, fromBeginning: true }, onEvent);
    await application.listen();
    await feed?.(config.topic, memory);
    return drain.drained;
  },
  async close() {
    await application?.close();
  },
});

/** What the topic holds, made beforehand for a candidate that is fed from memory. */
function texts({ payloadBytes, warmUp, messages }) {
  const payload = createPayload(payloadBytes);
  return Array.from({ length: warmUp + messages }, (_, index) => JSON.stringify(payload(index)));
}
