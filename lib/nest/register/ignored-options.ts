import { Logger } from '@nestjs/common';
import type { UnknownOption } from '../../options/unknown.js';
import {
  knownHandlerOptions,
  knownNestOptions,
  type NestKafkaOptions,
  type NestRole,
} from '../options/index.js';

/** An application's options, without unknown ones. */
export interface IgnoredOptions {
  /** The known options. */
  readonly options: NestKafkaOptions | undefined;
  /** Logs the ignored options, each once per process. */
  tell(): void;
}

/** The options that were logged. */
const told = new Set<string>();

/**
 * Removes options that neither NestJS nor kafkajs knows. NestJS's own transport ignores them, so an application that
 * only adds `register` must not fail because of them. With this package's classes the same options throw.
 */
export function ignoredOptions(role: NestRole, options: object | undefined): IgnoredOptions {
  const { options: known, unknown } = knownNestOptions(options);
  return {
    options: known as NestKafkaOptions | undefined,
    tell: () => tellOf(`a ${role}`, unknown),
  };
}

/** The same for the options of a handler; logged at once. `place` names the handler. */
export function withoutIgnored(options: unknown, place: string): unknown {
  const { options: known, unknown } = knownHandlerOptions(options);
  tellOf(place, unknown);
  return known;
}

function tellOf(whose: string, unknown: readonly UnknownOption[]): void {
  // Different handlers may have options of the same path.
  const keyOf = ({ path }: UnknownOption): string => (path.startsWith('kafka') ? `${whose} ${path}` : path);
  const fresh = unknown.filter((option) => !told.has(keyOf(option)));
  if (fresh.length === 0) return;
  for (const option of fresh) told.add(keyOf(option));
  const names = fresh.map(({ path, hint }) => `${path} (${hint})`);
  new Logger('KafkaNative').warn(
    `Ignored, as by NestJS's own transport, because neither knows it: of ${whose}, ${names.join('; ')}`,
  );
}
