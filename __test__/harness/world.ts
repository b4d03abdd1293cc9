import type { Type } from '@nestjs/common';
import type { ClientKafka } from '@nestjs/microservices';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { optionsFor, startClient, startServer, type RunningServer } from './apps';
import { closeBroker, createTopics, unique } from './broker';
import { ALL, Side, type Combination } from './side';
import { Tap } from './tap';
import type { Kind, TransportOptions } from './transports';
import './wait';

/** The topics and controllers of a file's scenarios, of which every combination gets its own. */
export interface WorldSpec {
  /** Topics to create: name → partitions. */
  topics: Record<string, number>;
  /** The topics whose replies a client awaits; their reply topics are created too. */
  replies?: string[];
  /** Controllers on the combination's topics. */
  controllers?: (side: Side) => Type[];
  serverOptions?: (kind: Kind) => TransportOptions;
  clientOptions?: (kind: Kind) => TransportOptions;
  combinations?: Combination[];
}

export interface World {
  name: string;
  sides: Side[];
}

/** Remembers the promise of the first call, so that a failed start fails every test that needs it. */
function once<T>(make: () => Promise<T>): { get: () => Promise<T>; made: () => Promise<T> | undefined } {
  let promise: Promise<T> | undefined;
  return {
    get: () => (promise ??= make()),
    made: () => promise,
  };
}

/**
 * Registers the start and the end of a world: at most two servers and two clients, started once for all
 * scenarios of the file. A side that cannot start fails its own tests, not those of the other.
 */
export function world(spec: WorldSpec): World {
  const name = unique('parity');
  const replies = spec.replies ?? [];
  const combinations = spec.combinations ?? ALL;

  const server = (kind: Kind): Promise<RunningServer> => {
    const controllers = sides
      .filter((side) => side.combination.server === kind)
      .flatMap((side) => spec.controllers?.(side) ?? []);
    return startServer(kind, controllers, optionsFor(`${name}-${kind}`, spec.serverOptions?.(kind)));
  };
  const client = (kind: Kind): Promise<ClientKafka> => {
    const patterns = sides
      .filter((side) => side.combination.client === kind)
      .flatMap((side) => replies.map((topic) => side.topic(topic)));
    return startClient(kind, patterns, optionsFor(`${name}-${kind}`, spec.clientOptions?.(kind)));
  };
  const servers = { stock: once(() => server('stock')), native: once(() => server('native')) };
  const clients = { stock: once(() => client('stock')), native: once(() => client('native')) };
  const tap = once(() => Tap.on(allTopics()));

  const sides = combinations.map(
    (combination) =>
      new Side(combination, `${name}.${combination.client}-${combination.server}`, {
        client: clients[combination.client].get,
        server: spec.controllers && servers[combination.server].get,
        tap: tap.get,
      }),
  );
  const named = (side: Side): [string, number][] => [
    ...Object.entries(spec.topics).map(([topic, count]): [string, number] => [side.topic(topic), count]),
    ...replies.map((topic): [string, number] => [side.topic(`${topic}.reply`), 1]),
  ];
  const allTopics = (): string[] => sides.flatMap(named).map(([topic]) => topic);

  beforeAll(async () => {
    await createTopics(Object.fromEntries(sides.flatMap(named)));
    const starts = sides.flatMap((side) => [side.serverReady(), replies.length > 0 && side.client()]);
    await Promise.allSettled([tap.get(), ...starts]);
  });

  afterAll(async () => {
    const closing = [...Object.values(servers), ...Object.values(clients), tap].map(async ({ made }) =>
      (await made())?.close(),
    );
    await Promise.allSettled(closing);
    await closeBroker();
  });

  return { name, sides };
}

/**
 * One test per combination. The scenario returns a picture of what was seen; the first combination, stock
 * at both ends, is the reference, checked by `check`, and every other one must return the same.
 */
export function scenario(
  { sides }: World,
  title: string,
  run: (side: Side) => Promise<unknown>,
  check: (picture: unknown) => void,
): void {
  let reference: { picture: unknown } | undefined;
  for (const [index, side] of sides.entries()) {
    test(`${title}: ${side.name}`, async () => {
      const picture = side.picture(await run(side));
      if (index === 0) {
        check(picture);
        reference = { picture };
      } else {
        if (!reference) throw new Error('there is no reference: stock → stock failed');
        expect(picture).toEqual(reference.picture);
      }
    });
  }
}
