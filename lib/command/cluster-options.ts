import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KafkaConfig } from '../kafkajs/types/index.js';
import { wrongUsage, type CommandOption, type Given } from './front.js';

/** The options of each command that talks to a cluster. */
export const CLUSTER_OPTIONS = {
  brokers: {
    type: 'string',
    short: 'b',
    value: 'host:port,…',
    doc: 'Brokers to start from.',
  },
  client: {
    type: 'string',
    value: 'file',
    doc: 'A .json file with the options of `client` (brokers, ssl, sasl …), or a module whose default export they are.',
  },
} as const satisfies Record<string, CommandOption>;

/** The client options of `--brokers` and `--client`; undefined when neither is given. */
export async function clusterOptions({ values }: Given): Promise<KafkaConfig | undefined> {
  const file = values['client'] as string | undefined;
  const brokers = (values['brokers'] as string | undefined)?.split(',').map((broker) => broker.trim());
  if (file === undefined && brokers === undefined) return undefined;
  const config = file === undefined ? {} : await readClientFile(resolve(file));
  const merged = {
    clientId: 'nestjs-kafka-native',
    ...config,
    ...(brokers && { brokers }),
  } as Partial<KafkaConfig>;
  if (merged.brokers === undefined) throw wrongUsage(`${file} names no brokers: add them, or give --brokers`);
  return merged as KafkaConfig;
}

/** The same for commands that need a cluster: throws a CommandError without either option. */
export async function requiredClusterOptions(given: Given): Promise<KafkaConfig> {
  const options = await clusterOptions(given);
  if (options === undefined) throw wrongUsage('Which cluster? Give --brokers host:port, or --client file');
  return options;
}

async function readClientFile(file: string): Promise<Partial<KafkaConfig>> {
  let config: unknown;
  try {
    config = file.endsWith('.json')
      ? JSON.parse(await readFile(file, 'utf8'))
      : unwrapped(await import(pathToFileURL(file).href));
  } catch (error) {
    throw wrongUsage(`--client ${file} cannot be read: ${(error as Error).message}`);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw wrongUsage(
      `--client ${file} has no options: its content, or default export, is an object like client's`,
    );
  }
  return config;
}

/** The default export, also of a CommonJS module that was compiled from an ES module. */
function unwrapped(module: { default?: unknown }): unknown {
  const { default: exported } = module;
  const isCompiled = typeof exported === 'object' && exported !== null && '__esModule' in exported;
  return isCompiled ? (exported as { default?: unknown }).default : exported;
}
