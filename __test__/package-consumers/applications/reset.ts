// Tests of an application's own, for Jest and Vitest alike: each loads its modules anew, with Transport.KAFKA switched over.
import 'reflect-metadata';
import type { ClientKafka, KafkaOptions } from '@nestjs/microservices';

// What the runner puts there.
declare const jest: { resetModules(): void } | undefined;
declare const vi: { resetModules(): void } | undefined;
declare const test: (name: string, run: () => Promise<void>) => void;
declare const expect: (actual: unknown) => {
  toEqual(expected: unknown): void;
  toBe(expected: unknown): void;
};

const runner = typeof jest === 'undefined' ? vi : jest;

/** A server and a client of NestJS's, from their start to their end; returns an error of this package's and the class of such. */
async function exchange(prefix: string) {
  await import('nestjs-kafka-native/register');
  const { Controller, Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ClientProxyFactory, MessagePattern, Payload, Transport } = await import('@nestjs/microservices');
  const { KafkaJSError, ServerKafka } = await import('nestjs-kafka-native');
  const { lastValueFrom } = await import('rxjs');

  @Controller()
  class Sum {
    @MessagePattern(`${prefix}.sum`)
    sum(@Payload() numbers: number[]): number {
      return numbers.reduce((sum, number) => sum + number, 0);
    }
  }

  @Module({ controllers: [Sum] })
  class SumModule {}

  const kafka: KafkaOptions = {
    transport: Transport.KAFKA,
    options: {
      client: { brokers: [process.env['KAFKA_BROKERS'] as string], clientId: prefix },
      consumer: { groupId: prefix },
      subscribe: { fromBeginning: true },
    },
  };
  const app = await NestFactory.createMicroservice(SumModule, { ...kafka, logger: false });
  await app.listen();
  const client = ClientProxyFactory.create(kafka) as unknown as ClientKafka;
  client.subscribeToResponseOf(`${prefix}.sum`);
  await client.connect();
  const answer = await lastValueFrom(client.send<string>(`${prefix}.sum`, [1, 2]));
  await client.close();
  await app.close();
  expect(answer).toBe('3');

  try {
    void new ServerKafka({ nonsense: true } as object);
  } catch (error) {
    return { error, KafkaJSError };
  }
  throw new Error('the option was taken');
}

/** Defines the tests of one file. */
export function defineTests(prefix: string): void {
  const seen: Awaited<ReturnType<typeof exchange>>[] = [];

  for (const round of ['first', 'second']) {
    test(`${round} copy of the modules`, async () => {
      runner?.resetModules();
      seen.push(await exchange(prefix));
    });
  }

  test('errors are recognised across the copies', async () => {
    const judged = seen.flatMap(({ error }) => seen.map(({ KafkaJSError }) => error instanceof KafkaJSError));
    expect(judged).toEqual([true, true, true, true]);
  });
}
