// A server without a broker, whose failure is taken for granted, and which nobody closes.

import { ServerKafka } from 'nestjs-kafka-native';

const [broker] = process.argv.slice(2);
const server = new ServerKafka({
  client: { brokers: [broker], connectionTimeout: 300, logLevel: 0, retry: { retries: 0 } },
});
await server.listen((error) => console.log(error === undefined ? 'listens' : 'failed'));
process.disconnect();
