// An npm registry of one's own: it has what is published to it, and passes on what npm's own has of others.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runServer } from 'verdaccio';

/**
 * Starts one in a folder. `upstream` is the registry behind it; what matches `own` never comes from there: that it came from here is the
 * point. Answers an .npmrc that names it.
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
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
