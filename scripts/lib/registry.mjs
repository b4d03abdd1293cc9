// A local npm registry with the packages published to it; other packages come from the upstream registry.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runServer } from 'verdaccio';

/**
 * Starts a registry in a folder. Packages that match `own` never come from `upstream`, so that tests are sure to get
 * the published ones. Returns its address, and the path of an .npmrc for it.
 */
export async function startNpmRegistry({ folder, upstream, own }) {
  const anybody = { access: ['$all'], publish: ['$all'] };
  const server = await runServer({
    self_path: folder,
    storage: join(folder, 'storage'),
    web: { enable: false },
    uplinks: { npm: { url: upstream, cache: false } },
    packages: { [own]: anybody, '**': { ...anybody, proxy: ['npm'] } },
    max_body_size: '100mb',
    log: { type: 'stdout', format: 'pretty', level: 'fatal' },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${server.address().port}/`;
  const userConfig = join(folder, 'npmrc');
  // npm publishes nothing without a token; any will do here.
  writeFileSync(userConfig, `registry=http://${host}\n//${host}:_authToken=anybody\n`);
  return {
    userConfig,
    url: `http://${host}`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
