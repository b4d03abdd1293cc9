import { join } from 'node:path';
import { BROKERS, createTopics, unique } from '../harness/broker';
import { ROOT } from '../package-consumers/install';
import { diagnose } from './run';

/** A service in plain JavaScript, which environment variables make what a test wants. */
export const SERVICE = join(ROOT, '__test__/command/applications/service.mjs');

interface Setting {
  readonly mode?: 'ours' | 'stock';
  readonly options?: object;
  readonly env?: NodeJS.ProcessEnv;
  readonly args?: string[];
}

/** Examines the service, whose topics there are. */
export async function service(
  { mode = 'ours', options = {}, env = {}, args = ['--online'] }: Setting = {},
  prefix = unique('doctor'),
) {
  const settings = {
    KAFKA_BROKERS: BROKERS.join(','),
    PREFIX: prefix,
    MODE: mode,
    OPTIONS: JSON.stringify(options),
  };
  return { prefix, ...(await diagnose([SERVICE, ...args], { env: { ...settings, ...env } })) };
}

/** Makes the topics of a service, and says what their names begin with. */
export async function withTopics(partitions = 3): Promise<string> {
  const prefix = unique('doctor');
  const names = ['orders', 'price', 'price.reply', 'stock', 'stock.reply', 'started'];
  await createTopics(Object.fromEntries(names.map((name) => [`${prefix}.${name}`, partitions])));
  return prefix;
}
