import { Controller, type Type } from '@nestjs/common';
import {
  EventPattern,
  KafkaContext,
  KafkaRetriableException,
  MessagePattern,
  Payload,
  type Server,
  Transport,
} from '@nestjs/microservices';
import { concat, delay, type Observable, of } from 'rxjs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { listen, optionsFor, startClient } from '../harness/apps';
import { closeBroker, committed, createTopics, unique } from '../harness/broker';
import { onEither } from '../harness/kinds';
import { logs } from '../harness/logs';
import { outcome } from '../harness/outcome';
import { transport, type Kind } from '../harness/transports';
import { Gate, openGates, pause, until } from '../harness/wait';

afterEach(openGates);
afterAll(closeBroker);

type StartHook = Parameters<Server['setOnProcessingStartHook']>[0];

const returnsNothing: StartHook = (_id, _context, done) => {
  void done();
};

/** A handler for each way that a message can end in. What happened is told to `saw`. */
function controller(name: string, saw: (what: string) => void): Type {
  let deliveries = 0;
  @Controller()
  class Handlers {
    @EventPattern<string>(`${name}.event`)
    async event(@Payload() data: unknown): Promise<unknown> {
      saw(`event ${String(data)}`);
      if (data === 'refused once' && deliveries++ === 0) throw new KafkaRetriableException('again');
      return data === 'stream' ? concat(of(1), of(2).pipe(delay(20))) : data;
    }

    @MessagePattern(`${name}.request`)
    async request(@Payload() data: unknown): Promise<unknown> {
      saw(`request ${String(data)}`);
      if (data === 'failure') throw new Error('failed');
      return data === 'stream' ? concat(of(1), of(2).pipe(delay(20))) : data;
    }
  }
  return Handlers;
}

/** Has a server with these hooks handle messages of all kinds, one after the other. */
async function traced(kind: Kind, startHook: StartHook): Promise<{ answers: unknown[]; trace: string[] }> {
  const name = unique('hooks');
  await createTopics({ [`${name}.event`]: 1, [`${name}.request`]: 1, [`${name}.request.reply`]: 1 });
  const trace: string[] = [];
  const { ServerKafka } = await transport(kind);
  const options = {
    subscribe: { fromBeginning: true },
    consumer: { groupId: name, retry: { initialRetryTime: 50 } },
  };
  const strategy = new ServerKafka(optionsFor(name, options));
  const told = (what: string, id: unknown, context: unknown): void => {
    const topic = context instanceof KafkaContext ? context.getTopic().slice(name.length + 1) : 'no context';
    trace.push(`${what} ${topic}${id === Transport.KAFKA ? '' : ` of ${String(id)}`}`);
  };
  strategy.setOnProcessingStartHook((id, context, done) => {
    told('start', id, context);
    return startHook(id, context, done);
  });
  strategy.setOnProcessingEndHook((id, context) => told('end', id, context));
  const server = await listen(strategy, [controller(name, (what) => trace.push(what))]);
  const client = await startClient(kind, [`${name}.request`], optionsFor(name));
  try {
    const answers: unknown[] = [];
    let expected = 0;
    const ended = (count: number): Promise<unknown> => {
      expected += count;
      return until(`${expected} deliveries have ended`, () => {
        return trace.filter((entry) => entry.startsWith('end')).length >= expected;
      });
    };
    for (const data of ['plain', 'stream', 'failure']) {
      answers.push(await outcome(client.send(`${name}.request`, data)));
      await ended(1);
    }
    for (const data of ['plain', 'stream', 'refused once']) {
      await outcome(client.emit(`${name}.event`, data));
      await ended(data === 'refused once' ? 2 : 1);
    }
    return { answers, trace };
  } finally {
    await Promise.all([client.close(), server.close()]);
  }
}

/** What is seen of a delivery, between its hooks. */
function handled(topic: string, data: string): string[] {
  return [`start ${topic}`, `${topic} ${data}`, `end ${topic}`];
}

function checkTrace(picture: unknown): void {
  expect(picture).toMatchObject({
    answers: [
      { values: ['plain'], ended: 'completed' },
      { values: ['1', '2'], ended: 'completed' },
      { ended: 'failed' },
    ],
    trace: [
      ...['plain', 'stream', 'failure'].flatMap((data) => handled('request', data)),
      ...['plain', 'stream', 'refused once', 'refused once'].flatMap((data) => handled('event', data)),
    ],
  });
}

/** More than a partition may have unhandled before it gives more: half of its credit. */
const MANY = 600;

type SetHooks = (strategy: Server<any, any>, arrived: readonly Gate[]) => void;

/** Has a server with such hooks handle requests, each sent when the answer before it has arrived. Returns the answers. */
async function answeredWithinHooks(setHooks: SetHooks, name = unique('hooks')): Promise<unknown[]> {
  await createTopics({ [name]: 1, [`${name}.reply`]: 1 });
  @Controller()
  class Streaming {
    @MessagePattern<string>(name)
    stream(@Payload() data: unknown): Observable<unknown> {
      return of(data);
    }
  }
  const arrived = Array.from({ length: MANY }, () => new Gate());
  const { ServerKafka } = await transport('native');
  const strategy = new ServerKafka(optionsFor(name, { subscribe: { fromBeginning: true } }));
  setHooks(strategy, arrived);
  const server = await listen(strategy, [Streaming]);
  const client = await startClient('native', [name], optionsFor(name));
  const answer = async (number: number): Promise<unknown> => {
    const { values } = await outcome(client.send(name, number));
    arrived[number]?.open();
    return values[0];
  };
  try {
    const answers: unknown[] = [];
    for (const number of arrived.keys()) {
      const value = await answer(number);
      answers.push(value);
      if (value === undefined) break;
    }
    return answers;
  } finally {
    openGates();
    await Promise.all([client.close(), server.close()]);
  }
}

/** Goes on until after the answer has arrived. */
const outlastsAnswer: SetHooks = (strategy, arrived) =>
  strategy.setOnProcessingStartHook(async (_id, context, done) => {
    await done();
    const number = Number((context as KafkaContext).getMessage().value);
    await arrived[number]?.pass();
    // The server hears of it soon after.
    await pause(5);
  });

const NUMBERS = Array.from({ length: MANY }, (_, number) => String(number));

describe('hooks of NestJS around the handling', () => {
  onEither(
    'a start hook that returns the handling',
    (kind) => traced(kind, (_id, _context, done) => done()),
    checkTrace,
  );

  onEither(
    'a start hook that waits for the handling',
    (kind) =>
      traced(kind, async (_id, _context, done) => {
        await done();
      }),
    checkTrace,
  );

  test('a start hook that works on after the handling, whose replies are acknowledged meanwhile', async () => {
    expect(await answeredWithinHooks(outlastsAnswer)).toEqual(NUMBERS);
  }, 180_000);

  for (const [title, fail] of [
    [
      'throws',
      (): void => {
        throw new Error('my end hook');
      },
    ],
    [
      'rejects',
      async (): Promise<void> => {
        throw new Error('my end hook');
      },
    ],
  ] as const) {
    test(`an end hook that ${title} is told of, and takes nothing from what was handled`, async () => {
      const name = unique('hooks');
      logs.entries.length = 0;
      const answers = answeredWithinHooks(
        (strategy) => strategy.setOnProcessingEndHook(fail as () => void),
        name,
      );
      expect(await answers).toEqual(NUMBERS);
      expect(await committed(`${name}-server`, name)).toEqual({ 0: MANY });
      expect(logs.matching('error', 'my end hook')).toHaveLength(MANY);
    }, 180_000);
  }

  test('a start hook that returns nothing, where stock loses what fails', async () => {
    checkTrace(await traced('native', returnsNothing));
  });

  test('a message waits for a handling that its hook does not wait for', async () => {
    const name = unique('hooks');
    await createTopics({ [`${name}.event`]: 1 });
    const trace: string[] = [];
    const hold = new Gate();
    @Controller()
    class Holding {
      @EventPattern<string>(`${name}.event`)
      async event(@Payload() data: unknown): Promise<void> {
        trace.push(`started ${String(data)}`);
        await hold.pass();
        trace.push(`finished ${String(data)}`);
      }
    }
    const { ServerKafka } = await transport('native');
    const strategy = new ServerKafka(optionsFor(name, { subscribe: { fromBeginning: true } }));
    strategy.setOnProcessingStartHook(returnsNothing);
    const server = await listen(strategy, [Holding]);
    const client = await startClient('native', [], optionsFor(name, { producerOnlyMode: true }));
    try {
      for (const data of ['first', 'second']) await outcome(client.emit(`${name}.event`, data));
      await until('the first is being handled', () => trace.length > 0);
      hold.open();
      await until('both are handled', () => trace.length >= 4);
      expect(trace).toEqual(['started first', 'finished first', 'started second', 'finished second']);
    } finally {
      await Promise.all([client.close(), server.close()]);
    }
  });
});
