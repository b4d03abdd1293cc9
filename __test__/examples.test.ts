import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BROKERS, unique } from './harness/broker';
import { within } from './harness/wait';
import { ROOT } from './package-consumers/install';

// examples/, as a reader runs them: compiled, each program a process of its own, on the broker under test. Their topics and groups have
// fixed names, so each run has ids of its own and looks at nothing else.

const STEP = 60_000;

/** A running example, and what it has printed. */
class Program {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #onLine: () => void = () => undefined;

  constructor(
    name: string,
    args: string[] = [],
    env: NodeJS.ProcessEnv = { KAFKA_BROKERS: BROKERS.join(',') },
  ) {
    this.#child = spawn(process.execPath, [join(ROOT, 'target/examples', `${name}.js`), ...args], {
      env: { ...process.env, ...env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      createInterface({ input: stream! }).on('line', (line) => {
        this.lines.push(line);
        this.#onLine();
      });
    this.#ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#onLine();
      return signal ?? code;
    });
  }

  /** Waits until each of these lines has been printed. */
  async says(...expected: (string | RegExp)[]): Promise<void> {
    const isSaid = (wanted: string | RegExp): boolean =>
      this.lines.some((line) => (typeof wanted === 'string' ? line === wanted : wanted.test(line)));
    const said = new Promise<void>((resolve, reject) => {
      this.#onLine = () => {
        if (expected.every(isSaid)) resolve();
        else if (this.#child.exitCode !== null) reject(new Error('it ended'));
      };
      this.#onLine();
    });
    await within(expected.join(' / '), said, STEP).catch((error: Error) => {
      throw new Error(`${error.message}; printed:\n${this.lines.join('\n')}`);
    });
  }

  /** Waits until it ends by itself. */
  async succeeds(): Promise<void> {
    expect(await within('its end', this.#ended, STEP), this.lines.join('\n')).toBe(0);
  }

  /** Asks it to end, as a container's runtime does, and waits for that. */
  async terminate(): Promise<void> {
    this.#child.kill('SIGTERM');
    // NestJS's shutdown hooks end the process by the signal once the application is closed.
    expect(await within('its end', this.#ended, STEP), this.lines.join('\n')).toBe('SIGTERM');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

const running: Program[] = [];

async function service(name: string): Promise<Program> {
  const program = new Program(name);
  running.push(program);
  await program.says('listening');
  return program;
}

async function emit(topic: string, ...events: object[]): Promise<void> {
  await new Program('emit', [topic, ...events.map((event) => JSON.stringify(event))]).succeeds();
}

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['scripts/examples.mjs'], { cwd: ROOT });
}, 5 * STEP);

afterEach(() => {
  for (const program of running.splice(0)) program.kill();
});

describe('examples', { timeout: 5 * STEP }, () => {
  test('basic', async () => {
    const id = unique('order');
    const program = await service('basic/service');
    await emit('example.basic.orders', { id });
    await program.says(new RegExp(`^order ${id}: partition \\d, offset \\d+$`));
    await program.terminate();
  });

  test('request-reply', async () => {
    const [first, second] = [unique('order'), unique('order')];
    const prices = await service('request-reply/prices');
    const orders = await service('request-reply/orders');
    await emit(
      'example.orders',
      { id: first, items: ['apple', 'pear', 'apple'] },
      { id: second, items: ['unicorn'] },
    );
    await orders.says(`order ${first}: 1.80`, `order ${second} is refused: no price for unicorn`);
    await orders.terminate();
    await prices.terminate();
  });

  test('dead-letter', async () => {
    const [good, flaky, bad] = [unique('payment'), unique('payment'), unique('payment')];
    const program = await service('dead-letter/service');
    await emit('example.payments', { id: good }, { id: flaky, fails: 1 }, { id: bad, fails: 9 });
    await program.says(
      `payment ${good}: done with delivery 1`,
      `payment ${flaky}: delivery 1 fails`,
      `payment ${flaky}: done with delivery 2`,
      `payment ${bad}: delivery 3 fails`,
      new RegExp(`^payment ${bad}: dead, from example.payments \\[\\d\\]: the bank refused ${bad}$`),
    );
    expect(program.lines).not.toContain(`payment ${bad}: delivery 4 fails`);
    await program.terminate();
  });

  test('manual-commit', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => unique(name));
    const before = await service('manual-commit/service');
    await emit('example.readings', ...ids.slice(0, 4).map((id) => ({ id })));
    await before.says(`committed up to reading ${ids[2]}`, `reading ${ids[3]}`);
    await before.terminate();
    const after = await service('manual-commit/service');
    await after.says(`reading ${ids[3]}`);
    for (const id of ids.slice(0, 3)) expect(after.lines).not.toContain(`reading ${id}`);
    // Also leaves nothing uncommitted to another run on this broker.
    await emit('example.readings', ...ids.slice(4).map((id) => ({ id })));
    await after.says(`committed up to reading ${ids[5]}`);
    await after.terminate();
  });

  test('keys', async () => {
    const [first, second] = [unique('account'), unique('account')];
    const program = await service('keys/service');
    await emit(
      'example.accounts',
      { key: first, step: 1, ms: 500 },
      { key: first, step: 2 },
      { key: second, step: 1 },
    );
    await program.says(`account ${first}: step 2 is done`, `account ${second}: step 1 is done`);
    expect(program.lines.filter((line) => line.startsWith(`account ${first}:`))).toEqual([
      `account ${first}: step 1 begins`,
      `account ${first}: step 1 is done`,
      `account ${first}: step 2 begins`,
      `account ${first}: step 2 is done`,
    ]);
    await program.terminate();
  });

  test('batches', async () => {
    const names = ['a', 'b', 'c'].map((name) => unique(name));
    const program = await service('batches/service');
    const [a, b, c] = names.map((name) => ({ name }));
    await emit('example.metrics', a!, b!, { bad: true, of: names[0] }, c!);
    await program.says(
      ...names.map((name) => new RegExp(`^stored .*${name}`)),
      `dead: {"bad":true,"of":"${names[0]}"}`,
    );
    await program.terminate();
  });

  test('acks', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => unique(name));
    const before = await service('acks/service');
    await emit(
      'example.transfers',
      ...ids.slice(0, 4).map((id, index) => (index === 1 ? { id, busy: true } : { id })),
    );
    await before.says(
      `transfer ${ids[1]} comes again`,
      `written: ${ids.slice(0, 3).join(' ')}`,
      `transfer ${ids[3]} is collected`,
    );
    await before.terminate();
    const after = await service('acks/service');
    await after.says(`transfer ${ids[3]} is collected`);
    expect(after.lines).not.toContain(`transfer ${ids[0]} is collected`);
    // Leaves nothing unacknowledged to another run on this broker.
    await emit('example.transfers', { id: ids[4] }, { id: ids[5] });
    await after.says(`written: ${ids.slice(3).join(' ')}`);
    await after.terminate();
  });

  test('transactions', async () => {
    const [plain, failing] = [unique('order'), unique('order')];
    const billing = await service('transactions/service');
    const audit = await service('transactions/audit');
    await emit('example.billing.orders', { id: plain }, { id: failing, fails: true });
    await billing.says(
      `order ${plain}: billed by attempt 1`,
      `order ${failing}: attempt 1 is undone`,
      `order ${failing}: billed by attempt 2`,
    );
    await audit.says(
      `invoice for order ${plain}, by attempt 1`,
      `invoice for order ${failing}, by attempt 2`,
    );
    expect(audit.lines).not.toContain(`invoice for order ${failing}, by attempt 1`);
    await billing.terminate();
    await audit.terminate();
  });

  test('exactly-once', async () => {
    const [plain, failing, bad] = [unique('order'), unique('order'), unique('order')];
    const program = new Program('exactly-once/main', [plain, failing, bad]);
    running.push(program);
    await program.succeeds();
    const seen = program.lines.filter((line) => line.startsWith('shipment of order '));
    expect(seen.toSorted()).toEqual(
      [`shipment of order ${plain}, by attempt 1`, `shipment of order ${failing}, by attempt 2`].toSorted(),
    );
    // One that is in a transaction in which another one fails is handled again, and that counts as no attempt.
    expect(new Set(program.lines.filter((line) => line.includes(bad)))).toEqual(
      new Set([
        ...[1, 2, 3].map((attempt) => `order ${bad}: attempt ${attempt} is undone`),
        `order ${bad}: put aside`,
      ]),
    );
  });

  test.each([
    ['an embedded broker', { KAFKA_BROKERS: undefined }],
    ['a real one', { KAFKA_BROKERS: BROKERS.join(',') }],
  ])('retries, on %s', async (_, env) => {
    const [failing, good] = [unique('mail'), unique('mail')];
    const program = new Program('retries/main', [failing, good], env);
    running.push(program);
    await program.succeeds();
    expect(program.lines.filter((line) => line.includes(failing))).toEqual([
      `mail ${failing}: delivery 1 fails`,
      `mail ${failing}: delivery 2 fails`,
      `mail ${failing}: sent with delivery 3`,
    ]);
    // It was not held up.
    expect(program.lines.slice(0, -1)).toContain(`mail ${good}: sent with delivery 1`);
    expect(program.lines).toHaveLength(4);
  });

  test.each([
    ['an embedded broker', { KAFKA_BROKERS: undefined }],
    ['a real one', { KAFKA_BROKERS: BROKERS.join(',') }],
  ])('observability, on %s', async (_, env) => {
    const id = unique('order');
    const program = new Program('observability/main', [id], env);
    running.push(program);
    await program.succeeds();
    expect(program.lines).toContain(`order ${id}: 50 cents`);
    const shop = 'example.shop';
    const tree = program.lines
      .slice(program.lines.indexOf('The trace') + 2)
      .map((line) => line.replaceAll(/[\d.]+ ms/g, 'ms'));
    const price = (indent: string): string[] => [
      `  ${indent}└─ send ${shop}.price (ms)`,
      `  ${indent}   └─ process ${shop}.price (ms)`,
      `  ${indent}      └─ send ${shop}.price.reply (ms)`,
      `  ${indent}         └─ process ${shop}.price.reply (ms)`,
    ];
    expect(tree.slice(0, tree.indexOf(''))).toEqual([
      '  POST /orders (ms)',
      `  └─ send ${shop}.orders (ms)`,
      `     ├─ process ${shop}.orders (ms, failed: the bank does not answer)`,
      ...price('   │  '),
      `     └─ process ${shop}.orders (ms, links to its first delivery)`,
      ...price('      '),
    ]);
    const group = 'group="example-shop-server"';
    for (const line of [
      `  kafka_consumer_handled_total{${group},topic="${shop}.orders"} 1`,
      `  kafka_consumer_failed_total{${group},topic="${shop}.orders"} 1`,
      `  kafka_consumer_redeliveries_total{${group},topic="${shop}.orders"} 1`,
      `  kafka_consumer_handled_total{${group},topic="${shop}.price"} 2`,
    ]) {
      expect(program.lines).toContain(line);
    }
    expect(program.lines).toContain('    "status": "ok",');
  });
});
