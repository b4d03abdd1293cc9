import { setTimeout as delay } from 'node:timers/promises';
import { Controller, type Type } from '@nestjs/common';
import { Ctx, MessagePattern, type KafkaContext } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { describe, expect } from 'vitest';
import type { Side } from '../harness/side';
import { scenario, world } from '../harness/world';

const PARTITIONS = 6;
/** Dealt one by one, so many leave out a partition once in 500 million times. */
const BURST = 120;
/** What a handler waits for, in ms: far more than the way of a request and its reply. */
const WAIT_MS = 20;

function controllers(side: Side): Type[] {
  @Controller()
  class Waiting {
    @MessagePattern(side.topic('waiting'))
    async handle(@Ctx() context: KafkaContext): Promise<string> {
      await delay(WAIT_MS);
      return String(context.getPartition());
    }
  }
  return [Waiting];
}

const all = world({ topics: { waiting: PARTITIONS }, replies: ['waiting'], controllers });

describe('R1 requests without a key', () => {
  scenario(
    all,
    'in bursts reach every partition while handlers wait, however often they come',
    async (side) => {
      const client = await side.client();
      const ask = (): Promise<unknown> => lastValueFrom(client.send(side.topic('waiting'), { burst: true }));
      const used = async (): Promise<unknown[]> => {
        const partitions = await Promise.all(Array.from({ length: BURST }, ask));
        return [...new Set(partitions)].toSorted();
      };
      // The first burst is what the client learns from how long replies take.
      return [await used(), await used(), await used()];
    },
    (picture) => {
      const every = ['0', '1', '2', '3', '4', '5'];
      expect(picture).toEqual([every, every, every]);
    },
  );
});
