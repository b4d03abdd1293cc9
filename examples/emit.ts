// Emits events, for the examples that handle some: node target/examples/emit.js <topic> <JSON> …
//
// A client that only emits needs no consumer group: producerOnlyMode.

import { ClientKafka } from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';
import { brokers } from './kafka.js';

async function main(topic: string, ...events: string[]) {
  const client = new ClientKafka({ client: { clientId: 'emit', brokers }, producerOnlyMode: true });
  await client.connect();
  for (const event of events) {
    // Messages of one key stay in one partition, and so in order. An event may name its own.
    const value: { key?: string } = JSON.parse(event);
    await lastValueFrom(client.emit(topic, { key: value.key ?? 'example', value }));
    console.log(`the broker has ${event}`);
  }
  await client.close();
}

const [topic = '', ...events] = process.argv.slice(2);
void main(topic, ...events);
