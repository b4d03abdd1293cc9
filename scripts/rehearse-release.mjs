// `npm run release:rehearse`: what `.github/workflows/release.yml` does to a tag, on this machine and into a registry of its own: each step
// as the workflow has it, in a fresh clone of the last commit. Only the upload is missing, and with it the signature (`--provenance`),
// which GitHub alone can give.
//
// The binary is built in this checkout, where it is older than the sources; empty files stand for those of the other systems. Steps that
// run elsewhere are named.

import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildNative } from './lib/native.mjs';
import { Failure, main, ROOT, run, say, since } from './lib/process.mjs';
import { checkTools, prepare } from './lib/setup.mjs';

const { name, version, napi } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
/** Options of a runner's shell. */
const BASH = ['--noprofile', '--norc', '-eo', 'pipefail', '-c'];

await main(import.meta.url, async () => {
  await checkTools();
  await allCommitted();
  await prepare();
  // Not the module in this folder: it may be of sources that are older, or newer, than the commit.
  const built = await buildNative();
  // These take packages that a bare checkout has not.
  const { startNpmRegistry } = await import('./lib/registry.mjs');
  const { releaseSteps } = await import('./lib/release-steps.mjs');
  const folder = mkdtempSync(join(tmpdir(), `${name}-release-`));
  const checkout = join(folder, 'checkout');
  await succeed('git', ['clone', '--quiet', '--depth', '1', `file://${ROOT}`, checkout], { cwd: folder });
  const upstream = (await succeed('npm', ['config', 'get', 'registry'])).trim();
  const registry = await startNpmRegistry({ folder, upstream, own: `${name}*` });
  try {
    asAfterEarlierJobs(checkout, built);
    const env = environment(folder, registry.userConfig);
    for (const step of releaseSteps()) {
      const title = `${step.job}: ${step.name}`;
      if (step.without) {
        say(`– ${title}: not here, ${step.without}`);
        continue;
      }
      const start = performance.now();
      await runStep(step, checkout, env);
      say(`✓ ${title} (${since(start)})`);
    }
    say(`release: ${name}@${version} could be published`);
    return 0;
  } finally {
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Refuses changes that the clone would not have and the binary would. */
async function allCommitted() {
  const changed = await succeed('git', ['status', '--porcelain', '--untracked-files=no'], { cwd: ROOT });
  if (changed.trim() !== '') throw new Failure(`a release is of a commit; not committed are:\n${changed}`);
}

/** The state that the tag's commit and earlier jobs would have left. */
function asAfterEarlierJobs(checkout, built) {
  const changelog = join(checkout, 'CHANGELOG.md');
  writeFileSync(changelog, readFileSync(changelog, 'utf8').replace(/^## Unreleased$/m, `## ${version}`));
  const binaries = join(checkout, 'binaries');
  mkdirSync(binaries);
  for (const system of systems()) writeFileSync(join(binaries, `${name}.${system}.node`), '');
  for (const file of readdirSync(built).filter((each) => each.endsWith('.node')))
    copyFileSync(join(built, file), join(binaries, file));
}

/** The targets, by their names in package names. */
function systems() {
  const words = { x86_64: 'x64', aarch64: 'arm64', windows: 'win32', apple: 'darwin' };
  return napi.targets.map((target) => {
    const [arch, vendor, system, abi] = target.split('-');
    const platform = vendor === 'apple' ? 'darwin' : (words[system] ?? system);
    return [platform, words[arch], ...(platform === 'darwin' ? [] : [abi])].join('-');
  });
}

function environment(folder, userConfig) {
  return {
    GITHUB_REF_TYPE: 'tag',
    GITHUB_REF_NAME: `v${version}`,
    GITHUB_OUTPUT: join(folder, 'output'),
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: `owner/${name}`,
    VERSION: version,
    npm_config_userconfig: userConfig,
  };
}

async function runStep({ job, run: script, env }, cwd, environmentOfAll) {
  // Expressions of the workflow are in the environment here.
  const own = Object.entries(env ?? {}).filter(([, value]) => !String(value).includes('${{'));
  const command = job === 'publish' ? script.replaceAll(' --provenance', '') : script;
  await succeed('bash', [...BASH, command], {
    cwd,
    env: { ...Object.fromEntries(own), ...environmentOfAll },
  });
}

async function succeed(command, args, options) {
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new Failure(`${command} ${args.at(-1)}\nended with ${code}:\n${output}`);
  return output;
}
