// An application that loads the package twice: its dependencies `require` it and itself imports it.
import { createRequire } from 'node:module';
import { KafkaContext } from '@nestjs/microservices';
import * as imported from 'nestjs-kafka-native';
import { scenario } from './scenario.js';

const required = createRequire(process.argv[1] as string)('nestjs-kafka-native') as typeof imported;
const prefix = process.env['PREFIX'] as string;

const copies = [required, imported] as const;

/** What both copies say of an error of the other's. */
function judge(error: unknown, { KafkaJSError, KafkaJSNonRetriableError }: typeof imported): boolean[] {
  return [error instanceof KafkaJSError, error instanceof KafkaJSNonRetriableError];
}

async function main(): Promise<void> {
  const errors: unknown[] = [];
  for (const [one, other] of [copies, copies.toReversed()] as [typeof imported, typeof imported][]) {
    try {
      void new one.ServerKafka({ nonsense: true } as object);
    } catch (error) {
      errors.push([
        (error as Error).name,
        error instanceof other.KafkaJSInvalidOptionError,
        ...judge(error, other),
      ]);
    }
    const config = { brokers: ['127.0.0.1:1'], connectionTimeout: 200, logLevel: one.logLevel.NOTHING };
    const producer = new one.Kafka({ ...config, retry: { retries: 0 } }).producer();
    await producer.connect().catch(({ cause }: Error) => {
      errors.push([(cause as Error).name, ...judge(cause, other)]);
    });
    await producer.disconnect();
  }

  const facts = {
    copies: imported.ServerKafka !== required.ServerKafka,
    contexts: imported.KafkaContext === KafkaContext && required.KafkaContext === KafkaContext,
    errors,
    // Each copy serves the other's requests.
    requiredServer: await scenario(`${prefix}.a`, { Server: required.ServerKafka }),
    requiredClient: await scenario(`${prefix}.b`, { Client: required.ClientKafka }),
  };
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

void main();
