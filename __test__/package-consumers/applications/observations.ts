// What an application notices of the transport under it, without asking the transport.
import { createRequire } from 'node:module';
import { sep } from 'node:path';
import type { LoggerService } from '@nestjs/common';

const { cache } = createRequire(process.argv[1] as string);

/** Which drivers this process has loaded: kafkajs, the Rust core, or both. */
export function loadedDrivers(): { kafkajs: boolean; native: boolean } {
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
  return {
    kafkajs: Object.keys(cache).some((file) => file.includes(`${sep}kafkajs${sep}src${sep}consumer${sep}`)),
    native: sharedObjects.some((file) => file.endsWith('.node') && file.includes('nestjs-kafka-native')),
  };
}

/** A logger that keeps what each context logs. */
export function collectedLogs(): LoggerService & { of(context: string): string[] } {
  const lines: { message: string; context: unknown }[] = [];
  const collect = (message: unknown, ...rest: unknown[]): void => {
    lines.push({ message: String(message), context: rest.at(-1) });
  };
  return {
    log: collect,
    error: collect,
    warn: collect,
    of: (wanted) => lines.filter(({ context }) => context === wanted).map(({ message }) => message),
  };
}
