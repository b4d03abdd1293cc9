import { createRequire } from 'node:module';
import { join } from 'node:path';

/** The files of two copies of NestJS. */
export interface NestCopies {
  /** The copy that the application's main file resolves. */
  application: string;
  /** The copy that the installed package resolves. */
  own: string;
}

/**
 * Finds out whether the application and this package resolve different copies of `@nestjs/microservices`. Resolves
 * names only and loads nothing; undefined if they cannot be resolved from the main file (a test runner's, for
 * example).
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
