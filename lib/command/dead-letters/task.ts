import type { KafkaConfig } from '../../kafkajs/types/index.js';
import { Kafka } from '../../kafkajs/kafka.js';
import { logLevel } from '../../kafkajs/types/index.js';
import type { Given } from '../front.js';
import type { Filter } from './filter.js';

/** What one of the sub-commands needs. */
export interface Task {
  readonly config: KafkaConfig;
  readonly topic: string;
  readonly filter: Filter;
  readonly given: Given;
}

/** The cluster. Only errors are logged, because the output is the command's result. */
export const kafkaOf = ({ config }: Task): Kafka => new Kafka({ logLevel: logLevel.ERROR, ...config });

/** A count with thousands separators. */
export const counted = (count: number, what: string): string =>
  `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;

/** A readable time, to the second. */
export const timeOf = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
