import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNpmRegistry } from '../../scripts/lib/registry.mjs';
import { npm, ROOT, script } from './programs';

/** An npm registry that has this package and its packages for each system, and passes on what npm's own has of others. */
export interface Registry {
  /** An .npmrc that names it. */
  userConfig: string;
  url: string;
  stop(): Promise<void>;
}

/** Starts the registry and publishes what `npm run packages` makes of this checkout, and of the binaries in a folder if one is given. */
export async function startRegistry(binaries = ROOT): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-kafka-native-registry-'));
  const upstream = await npm(['config', 'get', 'registry'], folder);
  const server = await startNpmRegistry({ folder, upstream, own: 'nestjs-kafka-native*' });
  const { userConfig, url } = server;

  const packages = join(folder, 'packages');
  await script('scripts/packages.mjs', ['--systems', 'all', '--binaries', binaries, '--into', packages]);
  const publish = (name: string): Promise<string> =>
    npm(['publish', join(packages, name), `--userconfig=${userConfig}`], folder);
  await Promise.all(readdirSync(packages).map(publish));
  return {
    userConfig,
    url,
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
