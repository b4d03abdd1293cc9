// A reporter for Vitest, beside its own: leaves the numbers of tests in the file that TEST_TOTALS names, and ends a
// run whose starter (test.mjs) was killed, which would hold a broker and two cores until its last test.

import { writeFileSync } from 'node:fs';

export default class TotalsReporter {
  onInit() {
    const parent = process.ppid;
    setInterval(() => process.ppid === parent || process.exit(1), 1000).unref();
  }

  onTestRunEnd(modules, unhandledErrors) {
    const totals = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      const states = [...module.children.allTests()].map((test) => test.result().state);
      for (const state of states) totals[state] = (totals[state] ?? 0) + 1;
      // A file that could not be loaded, or whose hooks failed, has no failed test.
      if (module.state() === 'failed' && !states.includes('failed')) totals.failed += 1;
    }
    writeFileSync(process.env.TEST_TOTALS, JSON.stringify(totals));
  }
}
