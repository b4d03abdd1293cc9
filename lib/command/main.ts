#!/usr/bin/env node
/**
 * `npx nestjs-kafka-native <command>`. Each command is a file, loaded when it is used.
 *
 * @packageDocumentation
 */
import { readFileSync } from 'node:fs';
import { runProgram, type Listed } from './front.js';

const COMMANDS: readonly Listed[] = [
  {
    name: 'dead-letters',
    summary: 'Lists, shows and replays the messages that servers have put aside.',
    load: async () => (await import('./dead-letters.js')).command,
  },
  {
    name: 'doctor',
    summary: 'Looks for what keeps an application from working; writes nothing',
    load: async () => (await import('./doctor.js')).default,
  },
  {
    name: 'migrate',
    summary: "Rewrites an application from NestJS's Transport.KAFKA and kafkajs",
    load: async () => (await import('./migrate.js')).default,
  },
  {
    name: 'acls',
    summary: 'Writes the access rules that an application needs',
    load: async () => (await import('./acls.js')).default,
  },
];

const { name, version } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { name: string; version: string };

// What is written after the reader has gone (`| head`) is not read: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runProgram(name, version, COMMANDS, process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
