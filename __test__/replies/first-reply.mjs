// How long from connect() to the first reply? Prints the median and the slowest of some fresh clients, each connected and asked once:
//
//   KAFKA_BROKERS=127.0.0.1:9092 node __test__/replies/first-reply.mjs [rounds]
//
// "alone": a group of its own. "joining": beside two members that hear of it by their next heartbeat (3 s by default).

import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import * as stock from '@nestjs/microservices';
import { Kafka, logLevel } from 'kafkajs';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { firstValueFrom, timeout } from 'rxjs';
import { makeTopics } from '../harness/topics.mjs';

const ROUNDS = Number(process.argv[2] ?? 15);
const JOINING_ROUNDS = Math.ceil(ROUNDS / 3);
const brokers = (process.env.KAFKA_BROKERS ?? '127.0.0.1:9092').split(',');
const topic = `first-reply-${Date.now()}`;
const quiet = () => undefined;
Logger.overrideLogger({ log: quiet, warn: quiet, error: quiet });

const VARIANTS = {
  stock: (options) => new stock.ClientKafka(options),
  "native, replies: 'group'": (options) => new ClientKafka(options),
  "native, replies: 'assigned'": (options) => new ClientKafka({ ...options, replies: 'assigned' }),
};

const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
await admin.connect();
const topics = [topic, `${topic}.reply`].map((name) => ({ topic: name, numPartitions: 6 }));
await makeTopics(admin, topics);
const server = new ServerKafka({
  client: { brokers },
  consumer: { groupId: topic },
  subscribe: { fromBeginning: true },
});
server.addHandler(topic, async (data) => data);
await new Promise((resolve) => {
  server.listen(resolve);
});

let groups = 0;

function make(create, groupId = `${topic}-${++groups}`) {
  const client = create({ client: { brokers, clientId: groupId }, consumer: { groupId } });
  client.subscribeToResponseOf(topic);
  return client;
}

/** Milliseconds from connect() to the end of connect(), and to the first reply. */
async function measure(client) {
  const start = performance.now();
  await client.connect();
  const connected = performance.now() - start;
  const answered = await firstValueFrom(client.send(topic, 'first').pipe(timeout(20_000))).then(
    () => performance.now() - start,
    () => Number.POSITIVE_INFINITY,
  );
  await client.close();
  return { connected, answered };
}

function line(name, times) {
  const show = (key) => {
    const sorted = times.map((each) => each[key]).toSorted((a, b) => a - b);
    const [median, slowest] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map((ms) =>
      Math.round(ms),
    );
    return `${String(median).padStart(6)} ms (slowest ${slowest})`;
  };
  process.stdout.write(
    `  ${name.padEnd(28)} connected ${show('connected')}, first reply ${show('answered')}\n`,
  );
}

process.stdout.write(`alone, ${ROUNDS} clients one after the other; Infinity: no reply within 20 s\n`);
for (const [name, create] of Object.entries(VARIANTS)) {
  const times = [];
  for (let round = 0; round < ROUNDS; round += 1) times.push(await measure(make(create)));
  line(name, times);
}

process.stdout.write(`joining two members, ${JOINING_ROUNDS} clients one after the other\n`);
for (const [name, create] of Object.entries(VARIANTS)) {
  const groupId = `${topic}-${++groups}`;
  const members = [make(create, groupId), make(create, groupId)];
  for (const member of members) await member.connect();
  const times = [];
  for (let round = 0; round < JOINING_ROUNDS; round += 1) times.push(await measure(make(create, groupId)));
  line(name, times);
  await Promise.all(members.map((member) => member.close()));
}

await server.close();
await admin.deleteTopics({ topics: [topic, `${topic}.reply`] });
await admin.disconnect();
