/** The process that answers requests. */
import { peakResidentMiB } from '../machine.mjs';
import { createRequestApplication } from './application.mjs';
import { serveRole } from './role.mjs';

let application;
let handled = 0;

serveRole({
  async start(config) {
    application = await createRequestApplication(config, () => handled++);
    await application.listen();
  },
  /** Where the process stands: two of these make a window. */
  mark() {
    const { user, system } = process.cpuUsage();
    return { cpuMicros: user + system, handled, peakResidentMiB: peakResidentMiB() };
  },
  async close() {
    await application?.close();
  },
});
