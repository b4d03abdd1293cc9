import { Logger } from '@nestjs/common';
import type { UnknownOption } from '../../options/unknown.js';
import {
  knownHandlerOptions,
  knownNestOptions,
  type NestKafkaOptions,
  type NestRole,
} from '../options/index.js';

/** An application's options, as far as they are known. */
export interface IgnoredOptions {
  /** What is left of them. */
  readonly options: NestKafkaOptions | undefined;
  /** Says in NestJS's log what is ignored, once in the process for each option. */
  tell(): void;
}

/** What was told of. */
const told = new Set<string>();

/**
 * Takes out what neither NestJS nor KafkaJS knows, which NestJS's own transport has ignored so far: an application whose code does not
 * change is not to fail because of it. Where it names this package's classes, the same options throw.
 */
export function ignoredOptions(role: NestRole, options: object | undefined): IgnoredOptions {
  const { options: known, unknown } = knownNestOptions(options);
  return {
    options: known as NestKafkaOptions | undefined,
    tell: () => tellOf(`a ${role}`, unknown),
  };
}

/** The same of the options of a handler, which is called so; told of at once. */
export function withoutIgnored(options: unknown, place: string): unknown {
  const { options: known, unknown } = knownHandlerOptions(options);
  tellOf(place, unknown);
  return known;
}

function tellOf(whose: string, unknown: readonly UnknownOption[]): void {
  // Those of handlers are called the same.
  const keyOf = ({ path }: UnknownOption): string => (path.startsWith('kafka') ? `${whose} ${path}` : path);
  const fresh = unknown.filter((option) => !told.has(keyOf(option)));
  if (fresh.length === 0) return;
  for (const option of fresh) told.add(keyOf(option));
  const names = fresh.map(({ path, hint }) => `${path} (${hint})`);
  new Logger('KafkaNative').warn(
    `Ignored, as by NestJS's own transport, because neither knows it: of ${whose}, ${names.join('; ')}`,
  );
}
