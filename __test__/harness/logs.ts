import { Logger, type LoggerService } from '@nestjs/common';

interface LogEntry {
  level: string;
  text: string;
}

/** Nest's logger during tests: keeps the lines of both transports, and prints them with KAFKA_TEST_LOGS=1. */
class CollectedLogs implements LoggerService {
  readonly entries: LogEntry[] = [];

  log = this.collect('log');
  error = this.collect('error');
  warn = this.collect('warn');
  debug = this.collect('debug');
  verbose = this.collect('verbose');
  fatal = this.collect('fatal');

  /** The logged texts of a level that contain `part`. */
  matching(level: string, part: string): string[] {
    return this.entries
      .filter((entry) => entry.level === level && entry.text.includes(part))
      .map(({ text }) => text);
  }

  private collect(level: string): (message: unknown, ...rest: unknown[]) => void {
    return (message, ...rest) => {
      const text = message instanceof Error ? (message.stack ?? message.message) : String(message);
      this.entries.push({ level, text });
      if (process.env['KAFKA_TEST_LOGS']) process.stderr.write(`[${level}] ${text} ${rest.join(' ')}\n`);
    };
  }
}

export const logs = new CollectedLogs();

Logger.overrideLogger(logs);
