/** The process that answers requests. */
import { sampleMemory, sampleProcess } from '../machine.mjs';
import { createRequestApplication } from './application.mjs';
import { serveRole } from './role.mjs';

let application;
let handled = 0;

serveRole({
  async start(config) {
    if (config.traced) (await import('./tracing.mjs')).startTracing();
    application = await createRequestApplication(config, () => handled++);
    await application.listen();
  },
  /** Marks this moment: two marks make a window. */
  mark() {
    const { user, system } = process.cpuUsage();
    return { cpuMicros: user + system, handled, process: sampleProcess() };
  },
  sample() {
    return sampleMemory();
  },
  async close() {
    await application?.close();
  },
});
