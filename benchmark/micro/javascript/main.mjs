// What a record costs in each part of the TypeScript layer that it goes through, without Kafka and without the core:
// `node main.mjs [--quick]`, on the built package.

import { parseArgs } from 'node:util';
import { Bench } from 'tinybench';
import { checkDecoding, decode } from './decode.mjs';
import { checkEncoding, encode } from './encode.mjs';
import { pending } from './pending.mjs';
import { RECORDS } from './sample.mjs';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const windows = values.quick ? { warmupTime: 20, time: 50 } : { warmupTime: 250, time: 1000 };

checkDecoding();
checkEncoding();
for (const [name, parts] of Object.entries({ decode, encode, pending })) {
  const bench = new Bench({ name, ...windows, throws: true });
  for (const [part, deal] of Object.entries(parts)) bench.add(part, deal, { async: false });
  await bench.run();
  process.stdout.write(`${name}, per record\n`);
  console.table(Object.fromEntries(bench.tasks.map((task) => [task.name, figures(task)])));
}

/** The median comes first: collections of garbage fall into some calls and not into others. */
function figures({ result: { latency } }) {
  return {
    'median ns': nanoseconds(latency.p50),
    'fastest ns': nanoseconds(latency.min),
    'mean ns': nanoseconds(latency.mean),
    '± %': Number(latency.rme.toFixed(1)),
    'records/s': Math.round((RECORDS * 1000) / latency.p50),
    calls: latency.samplesCount,
  };
}

/** A call's milliseconds as nanoseconds of one of its records. */
function nanoseconds(milliseconds) {
  return Number(((milliseconds * 1e6) / RECORDS).toPrecision(4));
}
