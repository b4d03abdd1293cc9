module.exports = {
  testEnvironment: 'node',
  testTimeout: 30_000,
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        module: { type: 'commonjs' },
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
      },
    ],
  },
  // TypeScript's imports name the files that will be there after compilation.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};
