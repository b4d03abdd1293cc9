// Retries that hold nothing up: a mail that fails waits in topics of its own, and the one behind it is sent at once. It runs on an
// embedded broker, or on KAFKA_BROKERS:
//
//   npm run examples -- retries

import { EventEmitter, once } from 'node:events';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { ClientKafka, type KafkaContext, ServerKafka } from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';
import { kafka } from './kafka.js';

interface Mail {
  id: string;
  /** How many deliveries fail. */
  fails?: number;
}

/** Emits the id of each mail that is sent. */
const sent = new EventEmitter();

@Controller()
class MailsController {
  @EventPattern<string>('example.mails')
  send(@Payload() mail: Mail, @Ctx() context: KafkaContext) {
    const attempt = context.getDeliveryAttempt();
    if (attempt <= (mail.fails ?? 0)) {
      console.log(`mail ${mail.id}: delivery ${attempt} fails`);
      throw new Error('the mail server is away');
    }
    console.log(`mail ${mail.id}: sent with delivery ${attempt}`);
    sent.emit(mail.id);
  }
}

@Module({ controllers: [MailsController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class MailsModule {}

async function main(failing = 'A1', good = 'A2') {
  const { brokers, consumerOptions } = kafka;
  const mails: Mail[] = [{ id: failing, fails: 2 }, { id: good }];
  const all = Promise.all(mails.map(({ id }) => once(sent, id)));
  const app = await NestFactory.createMicroservice(MailsModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-mails', brokers },
      consumer: { groupId: 'example-mails', ...consumerOptions },
      // Mails that fail wait in example.mails.retry.example-mails-server.500, then in ….2000.
      deadLetter: { retryTopics: { delays: [500, 2000] } },
    }),
    logger: false,
  });
  await app.listen();
  const client = new ClientKafka({ client: { clientId: 'example-sender', brokers } });
  await client.connect();
  for (const mail of mails) await lastValueFrom(client.emit('example.mails', mail));
  await all;
  await client.close();
  await app.close();
  await kafka.stop();
}

void main(...process.argv.slice(2));
