import { Controller, Injectable, Scope } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { EMPTY, of, type Observable } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { Rig, SOON } from '../delivery/rig';
import { createTopics, rawProducer, untilCommitted } from '../harness/broker';
import { until } from '../harness/wait';

const rig = new Rig('several');

async function write(value: string): Promise<void> {
  await (await rawProducer()).send({ topic: rig.topic, messages: [{ value }] });
}

describe('several handlers of one event', () => {
  test.each([
    ['first', false],
    ['first, made for each message', true],
  ])(
    'are called again if one has failed, where the %s ends in a stream without a value',
    async (_, scoped) => {
      await createTopics({ [rig.topic]: 1 });
      const told: string[] = [];
      @Injectable(scoped ? { scope: Scope.REQUEST } : {})
      @Controller()
      class Empty {
        @EventPattern<string>(rig.topic)
        handle(): Observable<never> {
          told.push('empty');
          return EMPTY;
        }
      }
      @Controller()
      class Failing {
        @EventPattern<string>(rig.topic)
        handle(): void {
          told.push('failing');
          if (told.filter((each) => each === 'failing').length === 1) throw new Error('the first time');
        }
      }
      @Controller()
      class Third {
        @EventPattern<string>(rig.topic)
        handle(@Payload() value: string): Observable<string> {
          told.push(`third ${value}`);
          return of(value);
        }
      }
      await rig.serve([Empty, Failing, Third], { consumer: { retry: SOON } });
      await write('a');
      await untilCommitted(rig.group, rig.topic, 1);
      expect(told.toSorted()).toEqual(['empty', 'empty', 'failing', 'failing', 'third a', 'third a']);
    },
  );

  test('have all ended before one of them is called again', async () => {
    await createTopics({ [rig.topic]: 1 });
    const told: string[] = [];
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    @Controller()
    class Failing {
      @EventPattern<string>(rig.topic)
      handle(): void {
        told.push('failing');
        if (told.length === 1) throw new Error('the first time');
      }
    }
    @Controller()
    class Slow {
      @EventPattern<string>(rig.topic)
      async handle(): Promise<void> {
        await ended;
        told.push('slow has ended');
      }
    }
    await rig.serve([Failing, Slow], { consumer: { retry: SOON } });
    await write('a');
    await until('the first is called', () => told.length > 0);
    // Longer than the pause before the next delivery.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(told).toEqual(['failing']);
    end();
    await untilCommitted(rig.group, rig.topic, 1);
    expect(told.toSorted()).toEqual(['failing', 'failing', 'slow has ended', 'slow has ended']);
  });
});
