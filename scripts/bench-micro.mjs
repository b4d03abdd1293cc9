// `npm run bench:micro`: what a record costs in the parts that it goes through, without Kafka: in the Rust core, then in
// the TypeScript layer. Where `npm run bench` says that something is slower, this says where.
//
//   npm run bench:micro -- --rust    only the Rust core
//   npm run bench:micro -- --js      only the TypeScript layer
//   npm run bench:micro -- --quick   a few seconds: shows that it works, not how fast

import { parseArgs } from 'node:util';
import { CORE, hostTriple } from './lib/cargo.mjs';
import { Failure, main, run, say } from './lib/process.mjs';
import { checkTools, prepare } from './lib/setup.mjs';
import { buildModules } from './lib/typescript.mjs';

/** Minimum time of each part. Without it, Divan stops at 100 samples, too few on a busy machine. */
const USUAL = ['--min-time', '1'];
const QUICK = ['--sample-count', '10'];

const flag = { type: 'boolean', default: false };

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { rust: flag, js: flag, quick: flag } });
  const both = values.rust === values.js;
  if (both || values.rust) await checkTools();
  await prepare();
  const codes = [];
  if (both || values.rust) codes.push(await measureCore(values.quick));
  if (both || values.js) codes.push(await measureLayer(values.quick));
  return Math.max(...codes);
});

async function measureCore(quick) {
  const bench = ['bench', '--locked', '--package', CORE, '--target', await hostTriple(), '--bench', 'micro'];
  say('Rust core: building …');
  const built = await run('cargo', [...bench, '--no-run'], { heartbeat: 'Rust core' });
  if (built.code !== 0) throw new Failure(`the build of the Rust core's benchmarks failed:\n${built.output}`);
  say('Rust core: measuring');
  const options = ['--quiet', '--', ...(quick ? QUICK : USUAL)];
  return (await run('cargo', [...bench, ...options], { inherit: true })).code;
}

async function measureLayer(quick) {
  await buildModules();
  say('TypeScript layer: measuring');
  const options = quick ? ['--quick'] : [];
  const { code } = await run(process.execPath, ['benchmark/micro/javascript/main.mjs', ...options], {
    inherit: true,
  });
  return code;
}
