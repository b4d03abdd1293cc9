/** A member of a group: handles events and requests, natively or over kafkajs, and notes what it is given and has done. */
import 'reflect-metadata';
import { setTimeout as later } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { ServerKafka as StockServer } from '@nestjs/microservices';
import { Kafka, logLevel, PartitionAssigners, ServerKafka } from 'nestjs-kafka-native';
import { Observable } from 'rxjs';
import { deadLetters } from '../population.mjs';
import { hash } from '../random.mjs';
import { Assignments } from './assignments.mjs';
import {
  end,
  leave,
  noteResourcesAfter,
  noteResourcesBefore,
  persist,
  random,
  ready,
  recorder,
  RETRY,
  SESSION,
  settings,
} from './process.mjs';

const { brokers, group, topics, requests = [], stock = false, slot, maxAttempts } = settings;
const { isStatic = false, isCooperative = false, isKip848 = false } = settings;

/** The longest that a handler takes, in ms. */
const SLOWEST = 20;
const COMMIT_INTERVAL = 1000;
/** Whoever leads a group hears so soon of partitions that were added: by default after five minutes, or at the next rebalance. */
const METADATA_AGE = 3000;

Logger.overrideLogger(['log', 'warn', 'error']);

const assignments = new Assignments(isCooperative || isKip848);

/** Notes that a record is begun; answers what notes its end. */
function begin(record, context) {
  const assignment = assignments.of(context.getTopic(), context.getPartition());
  const offset = Number(context.getMessage().offset);
  const attempt = attemptOf(context);
  recorder.note('begin', { assignment, offset, record, attempt });
  return {
    attempt,
    passed: () => recorder.note('passed', { assignment, offset }),
    end: (outcome) => recorder.note('end', { assignment, offset, outcome }),
  };
}

function attemptOf(context) {
  return Number(context.getDeliveryAttempt?.() ?? 1);
}

/** Some records fail once, and a few for ever: which, their names decide. */
function fails(record, attempt) {
  if (maxAttempts === undefined) return false;
  const fate = hash(record) % 200;
  return fate === 0 || (fate < 6 && attempt === 1);
}

async function handleEvent({ record }, context) {
  const delivery = begin(record, context);
  await later(random.next() * SLOWEST);
  if (!fails(record, delivery.attempt)) {
    delivery.end('done');
    return;
  }
  delivery.end(delivery.attempt === maxAttempts ? 'dead-lettered' : 'failed');
  throw new Error(`${record} fails`);
}

/** One reply or several, each a little later. NestJS waits for the first only. */
function handleRequest({ record, replies }, context) {
  const delivery = begin(record, context);
  return new Observable((subscriber) => {
    void (async () => {
      for (let number = 1; number <= replies; number++) {
        await later(random.next() * SLOWEST);
        if (number === 1) delivery.passed();
        // The last is on its way once it is given.
        if (number === replies) delivery.end('done');
        subscriber.next({ record, number, of: replies });
      }
      subscriber.complete();
    })();
  });
}

const options = {
  client: {
    brokers,
    clientId: settings.name,
    retry: RETRY,
    logLevel: stock ? logLevel.ERROR : logLevel.WARN,
  },
  consumer: {
    groupId: group,
    metadataMaxAge: METADATA_AGE,
    retry: RETRY,
    ...(isKip848 ? { librdkafka: { 'group.protocol': 'consumer' } } : SESSION),
    ...(isCooperative && { partitionAssigners: [PartitionAssigners.cooperativeSticky] }),
    ...(isStatic && { groupInstanceId: slot }),
  },
  subscribe: { fromBeginning: true },
  run: { autoCommitInterval: COMMIT_INTERVAL },
  postfixId: '',
  // Replies and dead letters once each, also where a broker goes while they are on their way.
  producer: { idempotent: true },
  ...(maxAttempts !== undefined &&
    !stock && {
      deadLetter: {
        topic: deadLetters(group),
        maxAttempts,
        backoff: { initialRetryTime: 50, maxRetryTime: 200 },
      },
    }),
};

function makeServer() {
  const server = stock ? new StockServer(options) : new ServerKafka(options);
  for (const topic of topics) server.addHandler(topic, handleEvent, true);
  for (const topic of requests)
    server.addHandler(topic, async (data, context) => handleRequest(data, context));
  // The consumer is made in listen(), and none of its events may be missed.
  const register = server.registerConsumerEventListeners.bind(server);
  server.registerConsumerEventListeners = () => {
    register();
    assignments.listen(server.consumer);
  };
  return server;
}

async function listen(server) {
  await new Promise((resolve, reject) => {
    void server.listen((error) => (error ? reject(error) : resolve()));
  });
}

// What is loaded once is there before the first look at what this process takes.
const probe = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: RETRY }).producer();
await probe.connect().catch(() => undefined);
await probe.disconnect();
noteResourcesBefore();

let server;
const works = await persist(async () => {
  server = makeServer();
  await listen(server).catch(async (error) => {
    await server.close();
    throw error;
  });
});
if (works) {
  ready();
  await end.asked;
  await server.close();
}
await noteResourcesAfter();
leave();
