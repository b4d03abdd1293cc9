// `npm run examples`: compiles examples/ into target/examples. examples/README.md says how to run them.
//
//   npm run examples -- observability   also runs the one that needs nothing else: no other program, and no Kafka

import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build } from './build.mjs';
import { Failure, main, ROOT, run, say } from './lib/process.mjs';
import { compilePrograms } from './lib/programs.mjs';
import { checkTools, installModules } from './lib/setup.mjs';

await main(import.meta.url, async ([name, ...args]) => {
  await checkTools();
  await installModules();
  await build();
  const folder = await compilePrograms('examples');
  if (name === undefined) {
    say(`KAFKA_BROKERS=localhost:9092 node ${relative(ROOT, folder)}/basic/service.js (and the others)`);
    return 0;
  }
  const program = join(folder, name, 'main.js');
  if (!existsSync(program)) {
    throw new Failure(`${name} is no example that runs by itself: examples/README.md says how they run`);
  }
  return (await run(process.execPath, [program, ...args], { inherit: true })).code;
});
