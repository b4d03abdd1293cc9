/**
 * Makes this process carry out the runner's commands over IPC.
 *
 * @param {Record<string, (argument: any) => unknown>} commands by name; `close` ends the process: it must then have
 *   nothing left that holds the event loop
 */
export function serveRole(commands) {
  let closing = false;

  process.on('message', async ({ id, command, argument }) => {
    try {
      const result = await commands[command](argument);
      closing ||= command === 'close';
      process.send({ id, result: result ?? null }, () => closing && process.disconnect());
    } catch (error) {
      process.send({ id, error: String(error?.stack ?? error), errorName: error?.name });
    }
  });
  // The runner has ended unexpectedly.
  process.on('disconnect', () => closing || process.exit(1));
  // Ctrl-C reaches the whole process group; the runner ends this process.
  process.on('SIGINT', () => undefined);
}
