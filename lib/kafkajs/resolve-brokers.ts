import { checkBrokers } from '../options/client.js';
import type { KafkaConfig } from './types.js';

/** The brokers to start from, asking the function where the option is one. */
export async function resolveBrokers({ brokers }: KafkaConfig): Promise<string> {
  const list: unknown = typeof brokers === 'function' ? await brokers() : brokers;
  checkBrokers(list);
  return list.join(',');
}
