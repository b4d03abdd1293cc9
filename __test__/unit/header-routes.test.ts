import type { MessageHandler } from '@nestjs/microservices';
import { describe, expect, it } from 'vitest';
import { HeaderRoutes } from '../../lib/nest/server/header-routes.js';

const handler = (run: () => unknown): MessageHandler =>
  Object.assign(run as unknown as MessageHandler, { isEventHandler: true });

describe('event handlers that take the same message by their headers', () => {
  it('have all ended when it fails by one of them', async () => {
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const told: string[] = [];
    const fails = handler(() => Promise.reject(new Error('the first')));
    const works = handler(() => ended.then(() => told.push('the second has ended')));
    const headers = { kind: 'a' };
    const routes = new HeaderRoutes(
      [fails, works].map((callback) => ({ callback, headers })),
      null,
      () => undefined,
    );
    const both = routes.find([['kind', Buffer.from('a')]]) as MessageHandler;
    const outcome = Promise.resolve(both({}, {})).then(
      () => told.push('succeeded'),
      (error: Error) => told.push(`failed by ${error.message}`),
    );
    await new Promise(setImmediate);
    expect(told).toEqual([]);
    end();
    await outcome;
    expect(told).toEqual(['the second has ended', 'failed by the first']);
  });
});
