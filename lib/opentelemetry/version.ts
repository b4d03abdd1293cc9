/** The package's version, for those who are told which instrumentation made a span. */
export const VERSION = '0.1.0';
