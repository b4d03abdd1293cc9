// `npm run docs:site`: the guide, the reference and the pictures as a static site, in target/docs-site.
//
//   npm run docs:site -- --serve    and shows it on http://localhost:4173
//   npm run docs:site -- --check    and looks at it in Chromium
//
// The generator is a package of its own, docs-site/, which the first run installs. DOCS_BASE=/name/ is for a site
// below the top of its host.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readIfThere } from './lib/files.mjs';
import { Failure, main, ROOT, run, say, since } from './lib/process.mjs';

const SITE = join(ROOT, 'docs-site');

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: { serve: { type: 'boolean', default: false }, check: { type: 'boolean', default: false } },
  });
  const start = performance.now();
  await install();
  const { stage } = await import('../docs-site/stage.mjs');
  stage();
  await vitepress(['build']);
  say(`docs: target/docs-site (${since(start)})`);
  if (values.check) {
    const { checkSite } = await import('../docs-site/check.mjs');
    await checkSite((line) => say(`✓ ${line}`));
  }
  if (values.serve) await vitepress(['preview', '--port', '4173'], { inherit: true });
  return 0;
});

/** Installs the generator, unless it is there. */
async function install() {
  const wanted = JSON.parse(readFileSync(join(SITE, 'package-lock.json'), 'utf8')).packages[
    'node_modules/vitepress'
  ].version;
  const there = readIfThere(join(SITE, 'node_modules/vitepress/package.json'));
  if (there && JSON.parse(there).version === wanted) return;
  say('docs: installing the generator …');
  await succeed('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: SITE });
}

function vitepress(args, options) {
  const bin = join(SITE, 'node_modules/vitepress/bin/vitepress.js');
  return succeed(process.execPath, [bin, ...args], { cwd: SITE, ...options });
}

async function succeed(command, args, options) {
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new Failure(`${args.join(' ')} ended with ${code}:\n${output}`);
}
