// A shop that ships each order exactly once, and a warehouse that sees the shipments, in one process. It needs a real Kafka: the embedded
// broker shows what was aborted.
//
//   KAFKA_BROKERS=localhost:9092 npm run examples -- exactly-once
//
// The first attempt at the second order fails when its shipment is sent: that shipment is never seen, the one of the second attempt is.
// The third order is put aside: none of its shipments is seen.

import { once } from 'node:events';
import { ClientKafka } from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';
import { brokers } from '../kafka.js';
import { startShop, type Order } from './shop.js';
import { arrived, startWarehouse } from './warehouse.js';

async function main(plain = 'A1', failing = 'A2', bad = 'A3') {
  const orders: Order[] = [{ id: plain }, { id: failing, fails: 1 }, { id: bad, fails: 9 }];
  const all = Promise.all(orders.map(({ id }) => once(arrived, id)));
  const apps = [await startWarehouse(), await startShop()];
  const client = new ClientKafka({ client: { clientId: 'example-customer', brokers } });
  await client.connect();
  for (const order of orders) await lastValueFrom(client.emit('example.shop.orders', order));
  await all;
  await client.close();
  await Promise.all(apps.map((app) => app.close()));
}

void main(...process.argv.slice(2));
