// `npm run build`: the native binding, then the TypeScript layer. `-- --debug` builds the crate's dev profile,
// `-- --typescript` only the TypeScript layer, over a binary from elsewhere. `-- --fault-injection` builds the binding that tests
// make stand still, beside all others: target/binding/fault-injection.

import { parseArgs } from 'node:util';
import { buildNative, publishNative } from './lib/native.mjs';
import { main, say } from './lib/process.mjs';
import { checkTools, installModules, prepare } from './lib/setup.mjs';
import { buildTypescript } from './lib/typescript.mjs';

/** Builds the package in place; what is up to date is left alone. */
export async function build({ debug = false, typescript = false } = {}) {
  if (!typescript) publishNative(await buildNative({ debug }));
  await buildTypescript();
}

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      debug: { type: 'boolean', default: false },
      typescript: { type: 'boolean', default: false },
      'fault-injection': { type: 'boolean', default: false },
    },
  });
  if (!values.typescript) await checkTools();
  await (values.typescript ? installModules() : prepare());
  if (values['fault-injection']) await buildNative({ faultInjection: true });
  else await build(values);
  say('build: done');
});
