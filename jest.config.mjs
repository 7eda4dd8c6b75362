import { join } from 'node:path';

// The program is started some hundreds of times, each time in a process of its own: they share what V8 made of its code.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '.cache', 'compile');

/** Jest runs on CommonJS that swc makes of our code and of the packages that are ESM only; see docs/adr/0002. */
const transform = {
  '^.+\\.(ts|mjs|js)$': [
    '@swc/jest',
    {
      jsc: {
        target: 'es2024',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      },
      module: { type: 'commonjs' },
    },
  ],
};

const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: [],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform,
  transformIgnorePatterns: [
    '/node_modules/(?!(@nestjs|nestjs-pino|uuid|content-disposition|commander|age-encryption|@noble|@scure)/)',
  ],
};

export default {
  maxWorkers: 2,
  testTimeout: 180_000,
  errorOnDeprecated: true,
  testSequencer: '<rootDir>/test/support/e2e-first.sequencer.cjs',
  reporters: ['default', '<rootDir>/test/support/summary.reporter.cjs'],
  projects: [
    { ...base, displayName: 'unit', testMatch: ['<rootDir>/src/**/*.spec.ts', '<rootDir>/bench/**/*.spec.ts'] },
    { ...base, displayName: 'contract', testMatch: ['<rootDir>/test/contract/**/*.spec.ts'] },
    { ...base, displayName: 'property', testMatch: ['<rootDir>/test/property/**/*.spec.ts'] },
    { ...base, displayName: 'attacks', testMatch: ['<rootDir>/test/attacks/**/*.spec.ts'] },
    { ...base, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'] },
  ],
};
