/** The package's version, which is the version of the instrumentation in spans. */
export const VERSION = '0.1.0';
