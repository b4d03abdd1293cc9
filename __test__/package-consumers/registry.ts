import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runServer } from 'verdaccio';
import { npm, script } from './programs';

/** An npm registry that has this package and its packages for each system, and passes on what npm's own has of others. */
export interface Registry {
  /** An .npmrc that names it. */
  userConfig: string;
  stop(): Promise<void>;
}

/** Starts the registry and publishes what `npm run packages` makes of this checkout. */
export async function startRegistry(): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-kafka-native-registry-'));
  const anybody = { access: ['$all'], publish: ['$all'] };
  const server = await runServer({
    self_path: folder,
    storage: join(folder, 'storage'),
    web: { enable: false },
    uplinks: { npm: { url: await npm(['config', 'get', 'registry'], folder), cache: false } },
    // Never from the world: that these came from here is the point.
    packages: { 'nestjs-kafka-native*': anybody, '**': { ...anybody, proxy: ['npm'] } },
    max_body_size: '100mb',
    log: { type: 'stdout', format: 'pretty', level: 'fatal' },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const userConfig = join(folder, 'npmrc');
  // npm publishes nothing without a token; any will do here.
  writeFileSync(userConfig, `registry=http://${host}\n//${host}:_authToken=anybody\n`);

  const packages = join(folder, 'packages');
  await script('scripts/packages.mjs', ['--systems', 'all', '--into', packages]);
  const publish = (name: string): Promise<string> =>
    npm(['publish', join(packages, name), `--userconfig=${userConfig}`], folder);
  await Promise.all(readdirSync(packages).map(publish));
  return {
    userConfig,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
