import { Logger } from '@nestjs/common';
import { knownNestOptions, type NestKafkaOptions, type NestRole } from '../options/index.js';

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
    tell: () => {
      const fresh = unknown.filter(({ path }) => !told.has(path));
      if (fresh.length === 0) return;
      for (const { path } of fresh) told.add(path);
      const names = fresh.map(({ path, hint }) => `${path} (${hint})`);
      new Logger('KafkaNative').warn(
        `Ignored, as by NestJS's own transport, because neither knows it: of a ${role}, ${names.join('; ')}`,
      );
    },
  };
}
