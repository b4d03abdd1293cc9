/** The process that drains a topic through an event handler. */
import { peakResidentMiB } from '../machine.mjs';
import { createEventApplication } from './application.mjs';
import { serveRole } from './role.mjs';
import { openWindow } from './window.mjs';

let application;

serveRole({
  /** Handles `warmUp` events, then measures from the first to the last call of the handler for the other `messages`. */
  async drain(config) {
    const total = config.warmUp + config.messages;
    const seen = new Uint8Array(total);
    let distinct = 0;
    let repeated = 0;
    let closeWindow;

    const window = new Promise((resolve, reject) => {
      const onEvent = (index) => {
        if (seen[index] === 1) {
          repeated++;
          return;
        }
        seen[index] = 1;
        if (distinct === config.warmUp) closeWindow = openWindow(config.brokerPid);
        distinct++;
        if (distinct === total) resolve(closeWindow());
      };
      createEventApplication({ ...config, fromBeginning: true }, onEvent)
        .then((created) => {
          application = created;
          return application.listen();
        })
        .catch(reject);
    });
    return { ...(await window), messages: config.messages, repeated, peakResidentMiB: peakResidentMiB() };
  },
  async close() {
    await application?.close();
  },
});
