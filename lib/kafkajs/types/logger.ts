/** Log levels, with kafkajs's numbers (there is no 3). An object and a type of the same name, so that it works under `isolatedModules`. */
export const logLevel = { NOTHING: 0, ERROR: 1, WARN: 2, INFO: 4, DEBUG: 5 } as const;
/** One of {@link logLevel}'s numbers. */
export type logLevel = (typeof logLevel)[keyof typeof logLevel];

/** The contents of a log line besides its level and namespace. */
export interface LoggerEntryContent {
  /** ISO 8601 time of the line. */
  readonly timestamp: string;
  /** The text. */
  readonly message: string;
  [key: string]: any;
}

/** One log line, as a {@link logCreator}'s function receives it. */
export interface LogEntry {
  /** The part that logs, for example `Consumer` or `Producer`; empty for the root logger. */
  namespace: string;
  /** The level of the line. */
  level: logLevel;
  /** The level's name: `ERROR`, `WARN`, `INFO` or `DEBUG`. */
  label: string;
  /** Message, time and extra fields of the line. */
  log: LoggerEntryContent;
}

/** Creates the function that writes log lines; called once, with the configured level. */
export type logCreator = (level: logLevel) => (entry: LogEntry) => void;

/** kafkajs's logger. */
export interface Logger {
  /** Writes a line of level INFO. */
  info: (message: string, extra?: object) => void;
  /** Writes a line of level ERROR. */
  error: (message: string, extra?: object) => void;
  /** Writes a line of level WARN. */
  warn: (message: string, extra?: object) => void;
  /** Writes a line of level DEBUG. */
  debug: (message: string, extra?: object) => void;
  /** A logger of the same sink under another namespace, with its own level when one is given. */
  namespace: (namespace: string, logLevel?: logLevel) => Logger;
  /** Changes the level of this logger and of its `namespace()` loggers without a level of their own. */
  setLogLevel: (logLevel: logLevel) => void;
}
