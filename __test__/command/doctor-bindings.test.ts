import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../package-consumers/install';
import { diagnose } from './run';

const folders: string[] = [];

beforeAll(() => {
  mkdirSync(join(ROOT, 'target'), { recursive: true });
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An application with two handlers, which name `transport`, and a server with each of `transportIds`. */
function written(transport: string, transportIds: string[], last: string): string {
  const place = realpathSync(mkdtempSync(join(ROOT, 'target/bindings-')));
  folders.push(place);
  const lines = [
    `import 'reflect-metadata';`,
    `import { Controller, Module } from '@nestjs/common';`,
    `import { NestFactory } from '@nestjs/core';`,
    `import { EventPattern, MessagePattern, Transport } from '@nestjs/microservices';`,
    `import { ServerKafka } from 'nestjs-kafka-native';`,
    `const EUROPE = Symbol('europe');`,
    `const ASIA = Symbol('asia');`,
    `class Handlers { price() {} }`,
    `class OrdersController extends Handlers { placed() {} everywhere() {} }`,
    `const methodOf = (of, name) => Object.getOwnPropertyDescriptor(of.prototype, name);`,
    `EventPattern('orders.placed', ${transport})({}, '', methodOf(OrdersController, 'placed'));`,
    `MessagePattern('orders.price', ${transport})({}, '', methodOf(Handlers, 'price'));`,
    `EventPattern('orders.everywhere')({}, '', methodOf(OrdersController, 'everywhere'));`,
    `Controller()(OrdersController);`,
    `class AppModule {}`,
    `Module({ controllers: [OrdersController] })(AppModule);`,
    `const strategies = [${transportIds.join(', ')}].map((transportId) => new ServerKafka({ transportId }));`,
    // What many services have, and what keeps the process alive.
    `setInterval(() => undefined, 1000);`,
    last,
  ];
  writeFileSync(join(place, 'main.mjs'), lines.join('\n'));
  return join(place, 'main.mjs');
}
const HYBRID = `const app = await NestFactory.create(AppModule, { logger: false });
  for (const strategy of strategies) app.connectMicroservice({ strategy });
  await app.startAllMicroservices();
  await app.listen(0);`;
const ALONE = `const app = await NestFactory.createMicroservice(AppModule, { strategy: strategies[0], logger: false });
  await app.listen();`;

// Each look starts an application, which takes its time where many run.
describe('handlers that name a transport', { timeout: 300_000 }, () => {
  test.each([
    ['a hybrid application', ['EUROPE', 'ASIA'], HYBRID, 'Symbol(europe), Symbol(asia)'],
    ['a microservice', ['EUROPE'], ALONE, 'Symbol(europe)'],
  ])('Transport.KAFKA, where each server of %s has a transportId', async (_, ids, last, names) => {
    const { findings, code } = await diagnose([written('Transport.KAFKA', ids, last)]);
    expect(findings).toEqual([
      {
        id: 'handler-unbound',
        severity: 'error',
        what: 'OrdersController.placed() of orders.placed, OrdersController.price() of orders.price name Transport.KAFKA, and no server has it',
        why: expect.stringContaining(`those of this application have ${names}: nothing reaches 2 handlers`),
        fix: expect.stringContaining(`@EventPattern('orders.placed', <the transportId of its server>)`),
      },
    ]);
    expect(code).toBe(1);
    expect((await diagnose([written('EUROPE', ids, last)])).findings).toEqual([]);
    expect((await diagnose([written('undefined', ids, last)])).findings).toEqual([]);
  });

  test('Transport.KAFKA, where one server has none of its own', async () => {
    const main = written('Transport.KAFKA', ['EUROPE', 'undefined'], HYBRID);
    expect((await diagnose([main])).findings).toEqual([]);
  });

  test('a symbol that no server has', async () => {
    const { findings, code } = await diagnose([written(`Symbol('asia')`, ['EUROPE', 'ASIA'], HYBRID)]);
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'handler-unbound',
        severity: 'warning',
        what: expect.stringContaining('name Symbol(asia), and no server has it'),
        fix: expect.stringContaining('export the symbol from one file'),
      }),
    ]);
    expect(code).toBe(0);
  });
});
