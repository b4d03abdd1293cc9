// An application that is half migrated: one server and one client name this package's classes, the others the transport.
import 'nestjs-kafka-native/register';
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';
import { collectedLogs, loadedDrivers } from './observations.js';

const prefix = process.env['PREFIX'] as string;
const options = (name: string) => ({
  client: { brokers: [process.env['KAFKA_BROKERS'] as string], clientId: `${prefix}-${name}` },
  consumer: { groupId: `${prefix}-${name}` },
  subscribe: { fromBeginning: true },
});

@Controller()
class Sum {
  @MessagePattern(`${prefix}.sum`)
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((sum, number) => sum + number, 0);
  }
}

@Controller()
class Count {
  @MessagePattern(`${prefix}.count`)
  count(@Payload() { to }: { to: number }): number {
    return to;
  }
}

@Module({ controllers: [Sum] })
class SumModule {}

@Module({ controllers: [Count] })
class CountModule {}

async function main(): Promise<void> {
  const logger = collectedLogs();
  const strategy = new ServerKafka(options('strategy'));
  const servers = [
    await NestFactory.createMicroservice(SumModule, { strategy, logger }),
    await NestFactory.createMicroservice(CountModule, {
      transport: Transport.KAFKA,
      options: options('transport'),
      logger,
    }),
  ];
  await Promise.all(servers.map((server) => server.listen()));

  const clients = [
    ClientProxyFactory.create({ customClass: ClientKafka, options: options('class') }),
    ClientProxyFactory.create({ transport: Transport.KAFKA, options: options('transport') }),
  ] as ClientKafka[];
  const answers: unknown[] = [];
  for (const client of clients) {
    client.subscribeToResponseOf(`${prefix}.sum`);
    client.subscribeToResponseOf(`${prefix}.count`);
    await client.connect();
    answers.push(await lastValueFrom(client.send<unknown>(`${prefix}.sum`, [1, 2])));
    answers.push(await lastValueFrom(client.send<unknown>(`${prefix}.count`, { to: 4 })));
  }
  await Promise.all([...clients, ...servers].map((one) => one.close()));
  const isOurs = clients.map((client) => client instanceof ClientKafka);
  const facts = { answers, isOurs, drivers: loadedDrivers(), announced: logger.of('KafkaNative') };
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

void main();
