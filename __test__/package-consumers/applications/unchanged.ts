// An application that has never heard of this package: NestJS's own transport, in every way that NestJS makes servers and clients.
import 'reflect-metadata';
import { Controller, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Client,
  ClientProxyFactory,
  ClientsModule,
  Ctx,
  EventPattern,
  KafkaContext,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
  type ClientKafka,
  type KafkaOptions,
} from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { collectedLogs, loadedDrivers } from './observations.js';

const prefix = process.env['PREFIX'] as string;

/** Options of a client; stock begins at the end of a reply topic, wherever that is at its first fetch. */
function kafka(name: string): KafkaOptions & { transport: Transport.KAFKA } {
  return {
    transport: Transport.KAFKA,
    options: {
      client: { brokers: [process.env['KAFKA_BROKERS'] as string], clientId: `${prefix}-${name}` },
      consumer: { groupId: `${prefix}-${name}`, maxWaitTimeInMs: 100 },
      subscribe: { fromBeginning: true },
    },
  };
}

const heard: unknown[] = [];
let allHeard: () => void = () => undefined;
const events = new Promise<void>((resolve) => {
  allHeard = resolve;
});

@Controller()
class SumController {
  @MessagePattern(`${prefix}.sum`)
  sum(@Payload() numbers: number[], @Ctx() context: KafkaContext): unknown {
    const { key, headers } = context.getMessage();
    return {
      sum: numbers.reduce((sum, number) => sum + number, 0),
      where: [context.getTopic().slice(prefix.length), context.getPartition()],
      // Not `key`: what has one is taken for a message.
      askedWith: key,
      colour: headers?.['colour'],
      replyTopic: String(headers?.['kafka_replyTopic']).slice(prefix.length),
    };
  }

  @MessagePattern(`${prefix}.refuse`)
  refuse(): never {
    throw new RpcException({ code: 'REFUSED', message: 'not today' });
  }
}

@Controller()
class BornController {
  @EventPattern<string>(`${prefix}.born`)
  born(@Payload() data: unknown, @Ctx() context: KafkaContext): void {
    heard.push({ data, key: context.getMessage().key, offset: context.getMessage().offset });
    if (heard.length === 2) allHeard();
  }
}

@Controller()
class Property {
  @Client(kafka('property'))
  readonly client!: ClientKafka;
}

@Injectable()
class Clients {
  constructor(
    @Inject('REGISTERED') readonly registered: ClientKafka,
    @Inject('ASYNC') readonly async: ClientKafka,
  ) {}
}

@Module({ controllers: [SumController] })
class ServiceModule {}

@Module({
  imports: [
    ClientsModule.register([{ name: 'REGISTERED', ...kafka('registered') }]),
    ClientsModule.registerAsync([{ name: 'ASYNC', useFactory: () => kafka('async') }]),
  ],
  controllers: [BornController, Property],
  providers: [Clients],
})
class HybridModule {}

async function ask(client: ClientKafka): Promise<unknown> {
  client.subscribeToResponseOf(`${prefix}.sum`);
  client.subscribeToResponseOf(`${prefix}.refuse`);
  await client.connect();
  const message = { key: 'k', value: [1, 2, 3], headers: { colour: 'red' } };
  const sum = await lastValueFrom(client.send<unknown>(`${prefix}.sum`, message));
  const refusal: unknown = await lastValueFrom(client.send<unknown>(`${prefix}.refuse`, {})).catch(
    (error: unknown) => error,
  );
  return { sum, refusal };
}

export async function main(): Promise<void> {
  const logs = collectedLogs();
  const service = await NestFactory.createMicroservice(ServiceModule, { ...kafka('service'), logger: logs });
  await service.listen();
  const hybrid = await NestFactory.create(HybridModule, { logger: logs });
  hybrid.connectMicroservice(kafka('hybrid'));
  await hybrid.startAllMicroservices();
  await hybrid.init();

  const { registered, async } = hybrid.get(Clients);
  const { client: property } = hybrid.get(Property);
  const made = ClientProxyFactory.create(kafka('made')) as ClientKafka;
  const answers: unknown[] = [];
  for (const client of [registered, async, property, made]) answers.push(await ask(client));
  await lastValueFrom(made.emit(`${prefix}.born`, { key: 'a', value: { name: 'Alice' } }));
  await lastValueFrom(made.emit(`${prefix}.born`, { key: 'b', value: 'Bob' }));
  await events;

  const facts = { answers, heard, drivers: loadedDrivers(), announced: logs.of('KafkaNative') };
  await Promise.all([property.close(), made.close()]);
  await hybrid.close();
  await service.close();
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

void main();
