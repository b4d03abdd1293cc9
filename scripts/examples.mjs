// `npm run examples`: compiles examples/ into target/examples. examples/README.md says how to run them.

import { relative } from 'node:path';
import { build } from './build.mjs';
import { main, ROOT, say } from './lib/process.mjs';
import { compilePrograms } from './lib/programs.mjs';
import { checkTools, installModules } from './lib/setup.mjs';

await main(import.meta.url, async () => {
  await checkTools();
  await installModules();
  await build();
  const folder = await compilePrograms('examples');
  say(`KAFKA_BROKERS=localhost:9092 node ${relative(ROOT, folder)}/basic/service.js (and the others)`);
});
