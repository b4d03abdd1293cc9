// Closes a client and a server that connect, and has nothing else to do.  node close-while-connecting.mjs <broker>
import { Logger } from '@nestjs/common';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';

Logger.overrideLogger(false);
const client = { brokers: [process.argv[2]], connectionTimeout: 60_000 };
const said = [];
const sender = new ClientKafka({ client, producerOnlyMode: true });
const connecting = sender.connect().catch(() => said.push('connect'));
await sender.close();
await connecting;
const server = new ServerKafka({ client });
const listening = server.listen((error) => said.push(error ? 'listen' : 'listens'));
await server.close();
await listening;
process.stdout.write(`${[...said, 'closed'].join('\n')}\n`);
