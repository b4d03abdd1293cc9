import { vi } from 'vitest';

// The same as for each change, with sixty times the cases.
process.env['FUZZ_CASES'] ??= '300000';
vi.setConfig({ testTimeout: 900_000 });
await import('../unit/foreign-bytes.test');
