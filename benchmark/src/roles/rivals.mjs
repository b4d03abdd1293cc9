import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/** Where a rival is installed: each in a folder of its own, because the install of one may fail. */
const folderOf = (rival) => new URL(`../../rivals/${rival}/`, import.meta.url);

/** Imports a package of `rivals/<rival>`. */
export function loadRival(rival, name) {
  const require = createRequire(new URL('package.json', folderOf(rival)));
  return import(pathToFileURL(require.resolve(name)).href);
}

/** Confluent's interface in the shape of kafkajs. */
export async function loadConfluent() {
  const { default: confluent } = await loadRival('confluent', '@confluentinc/kafka-javascript');
  return confluent.KafkaJS;
}
