// Runs in each worker before its test file.
import 'reflect-metadata';
import { inject } from 'vitest';

// A worker whose run was killed would otherwise go on with its test.
process.once('disconnect', () => process.exit(1));
process.env['KAFKA_BROKERS'] = inject('brokers');
