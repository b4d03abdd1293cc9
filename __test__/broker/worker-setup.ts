// Runs in each worker before its test file.
import 'reflect-metadata';
import { inject } from 'vitest';

process.env['KAFKA_BROKERS'] = inject('brokers');
