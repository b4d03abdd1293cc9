/** Sends requests, natively or over kafkajs, and notes the replies to each and how it ended. */
import 'reflect-metadata';
import { setTimeout as later } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { ClientKafka as StockClient } from '@nestjs/microservices';
import { ClientKafka, logLevel } from 'nestjs-kafka-native';
import { end, leave, persist, random, ready, recorder, RETRY, SESSION, settings } from './process.mjs';

const { brokers, name, topic, group, replies = 'group', stock = false } = settings;

/** Between two requests, in ms, on average. */
const PAUSE = 30;
const MOST_WAITING = 64;
/** When a request has ended, whatever becomes of it. */
const REPLY_TIMEOUT = 30_000;

Logger.overrideLogger(['log', 'warn', 'error']);

const client = new (stock ? StockClient : ClientKafka)({
  client: { brokers, clientId: name, retry: RETRY, logLevel: stock ? logLevel.ERROR : logLevel.WARN },
  consumer: { groupId: group, retry: RETRY, ...SESSION },
  postfixId: '',
  ...(!stock && { replies, replyTimeout: REPLY_TIMEOUT }),
});
client.subscribeToResponseOf(topic);

function ask(number) {
  const request = `${name}-${number}`;
  recorder.note('request', { request, topic });
  return new Promise((resolve) => {
    const ended = (outcome, error) => {
      recorder.note('replied', {
        request,
        outcome,
        ...(error && { error: error.name, message: error.message }),
      });
      resolve();
    };
    client.send(topic, { record: request, replies: random.whole(1, 4) }).subscribe({
      next: (body) => recorder.note('reply', { request, body }),
      error: (error) => ended('error', error instanceof Error ? error : new Error(JSON.stringify(error))),
      complete: () => ended('complete'),
    });
  });
}

if (await persist(() => client.connect())) {
  ready();
  const waiting = new Set();
  for (let number = 0; !end.isAsked; number++) {
    const outcome = ask(number);
    waiting.add(outcome);
    void outcome.then(() => waiting.delete(outcome));
    const next = waiting.size < MOST_WAITING ? [later(random.next() * 2 * PAUSE)] : waiting;
    await Promise.race([...next, end.asked]);
  }
  // What has not ended then never will, which the history shows.
  await Promise.race([Promise.all(waiting), later(REPLY_TIMEOUT + 10_000, undefined, { ref: false })]);
}
await client.close();
leave();
