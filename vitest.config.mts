import { createRequire } from 'node:module';
import { join } from 'node:path';
import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

const broker = {
  globalSetup: ['__test__/broker/global-setup.ts'],
  setupFiles: ['__test__/broker/worker-setup.ts'],
};

const INSTALLED = /^(?:@nestjs\/|nestjs-kafka-native(?:\/|$)|rxjs(?:\/|$)|reflect-metadata$)/;

/** The package and NestJS from where an application is installed, instead of this checkout's. */
function installation(folder: string): {
  name: string;
  enforce: 'pre';
  resolveId(id: string): string | undefined;
} {
  const { resolve } = createRequire(join(folder, 'main.js'));
  return {
    name: 'installation',
    enforce: 'pre',
    resolveId: (id) => (INSTALLED.test(id) ? resolve(id) : undefined),
  };
}

const { TESTED_INSTALLATION, TESTED_ADDON, TESTED_PRELOAD } = process.env;

/**
 * An addon of another build, and what has to be loaded before it (scripts/sanitize.mjs): for the tests alone, because parts of vitest
 * read the same variable, and have native parts that a sanitizer does not see into.
 */
const env = {
  ...(TESTED_ADDON && { NAPI_RS_NATIVE_LIBRARY_PATH: TESTED_ADDON }),
  ...(TESTED_PRELOAD && { LD_PRELOAD: TESTED_PRELOAD }),
};

export default defineConfig({
  // NestJS needs the decorators' metadata, which Vite's own transform does not emit.
  plugins: [
    TESTED_INSTALLATION && installation(TESTED_INSTALLATION),
    swc.vite({
      tsconfigFile: false,
      module: { type: 'es6' },
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
        keepClassNames: true,
      },
    }),
  ],
  test: {
    // A native module is loaded once per process: workers must be processes.
    pool: 'forks',
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    env,
    retry: 0,
    // The package under test is the built one: Node itself loads it, as in an application.
    server: { deps: { external: [/\/dist\/(esm|cjs)\//, /\/index\.js$/] } },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['__test__/unit/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['__test__/**/*.test.ts'],
          exclude: ['__test__/{unit,long}/**', '**/node_modules/**'],
          ...broker,
        },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: ['__test__/long/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 30 * 60_000,
          ...broker,
        },
      },
    ],
  },
});
