import type { KafkaConfig } from '../../kafkajs/types/index.js';
import { Kafka } from '../../kafkajs/kafka.js';
import { logLevel } from '../../kafkajs/types/index.js';
import type { Given } from '../front.js';
import type { Filter } from './filter.js';

/** What one of the verbs is to do. */
export interface Task {
  readonly config: KafkaConfig;
  readonly topic: string;
  readonly filter: Filter;
  readonly given: Given;
}

/** The cluster. Only errors are logged: what is printed is the answer. */
export const kafkaOf = ({ config }: Task): Kafka => new Kafka({ logLevel: logLevel.ERROR, ...config });

/** A count with separators, as people read it. */
export const counted = (count: number, what: string): string =>
  `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;

/** A time as people read it, to the second. */
export const timeOf = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
