import { readFileSync } from 'node:fs';
import type { Dependencies } from './install';

function lockedVersion(dependencies: Dependencies): string {
  const lock = readFileSync(new URL(`${dependencies}/package-lock.json`, import.meta.url), 'utf8');
  return JSON.parse(lock).packages['node_modules/@nestjs/microservices'].version;
}

/** What the scenario reports, whoever runs it. */
export function expected(prefix: string, dependencies: Dependencies): Record<string, unknown> {
  const isOldest = dependencies === 'nest11-oldest';
  const isNest12 = dependencies === 'nest12';
  const sent = ['sum', 'count', 'refuse', 'retry', 'greet.one', 'born', 'flaky', 'seen.one', 'seen.two'];
  return {
    nest: lockedVersion(dependencies),
    kafkajs: 'MODULE_NOT_FOUND',
    classes: {
      KafkaContext: true,
      KafkaRetriableException: true,
      KafkaHeaders: true,
      retriableIsRpc: true,
      clientIsProxy: true,
    },
    transportId: true,
    // Numbers travel as text, as over NestJS's own transport.
    sum: '6',
    counted: ['1', '2', '3'],
    refusal: { code: 'REFUSED', message: 'not today' },
    filtered: [true],
    retried: 'at the second attempt',
    retryOffsets: ['0', '0'],
    greeting: 'hello Alice',
    contexts: [true, true],
    event: {
      data: { name: 'Alice' },
      key: 'hero-1',
      header: 'red',
      topic: `${prefix}.born`,
      partition: 0,
    },
    flakyOffsets: ['0', '0'],
    expressionTopics: [`${prefix}.seen.one`, `${prefix}.seen.two`],
    hasServerHooks: !isOldest,
    hasClientHook: isNest12,
    dispatched: isNest12 ? sent : [],
    // One for each delivery: two of them were redelivered.
    processed: isOldest
      ? { started: 0, ended: 0, contexts: 0, kafka: 0 }
      : { started: 11, ended: 11, contexts: 11, kafka: 11 },
  };
}
