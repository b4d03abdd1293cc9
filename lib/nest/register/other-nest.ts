import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Files of two copies of NestJS. */
export interface NestCopies {
  /** The copy that the application's main file resolves. */
  application: string;
  /** The copy that this package resolves, where the application has it. */
  own: string;
}

/**
 * Says whether the application resolves another copy of `@nestjs/microservices` than the package it has installed does. Only names are
 * resolved, nothing is loaded: what is not found from the main file (of a test runner, say) gives no answer.
 */
export function otherNest(
  main: string = process.argv[1] ?? join(process.cwd(), 'repl'),
): NestCopies | undefined {
  try {
    const { resolve } = createRequire(main);
    const application = resolve('@nestjs/microservices');
    const own = createRequire(resolve('nestjs-kafka-native/package.json')).resolve('@nestjs/microservices');
    return application === own ? undefined : { application, own };
  } catch {
    return undefined;
  }
}
