// Applications that end, or stumble, in the middle of their traffic: argv[2] says how.
import { busy, PREFIX, startClient, startServer, traffic } from './pair.mjs';

const WAYS = {
  /** Ends at once, with requests, replies and commits on their way. */
  async exit() {
    await busy();
    process.exit(7);
  },

  /** Ends while both are being closed. */
  async 'exit-closing'() {
    const pair = await busy();
    void pair.close();
    setImmediate(() => process.exit(7));
  },

  /** Ends while both are starting. */
  async 'exit-starting'() {
    void startServer();
    void startClient();
    setImmediate(() => process.exit(7));
  },

  /** An error outside of the handler's own call: nobody catches it, and Node ends the process. */
  async uncaught() {
    const pair = await busy(PREFIX, throwLater);
    void pair.client.ask('throw');
  },

  /** The same as a promise that nobody awaits. */
  async unhandled() {
    const pair = await busy(PREFIX, (value) => {
      if (value === 'throw') void Promise.reject(new Error('of the handler'));
      return value;
    });
    void pair.client.ask('throw');
  },

  /** An application that catches everything goes on. */
  async caught() {
    const errors = [];
    const caught = new Promise((resolve) => {
      process.on('uncaughtException', (error) => {
        errors.push(error.message);
        resolve();
      });
    });
    const app = await startServer(PREFIX, throwLater);
    const client = await startClient();
    await client.ask('throw');
    await caught;
    const answer = await client.ask('after');
    await client.close();
    await app.close();
    process.stdout.write(JSON.stringify({ errors, answer }));
  },

  /** An error in what the application does with an answer. */
  async subscriber() {
    const app = await startServer();
    const client = await startClient();
    const seen = new Promise((resolve) => {
      process.once('uncaughtException', (error) => resolve(error.message));
    });
    const stop = traffic(client, (answers) => answers === 10 && queueMicrotask(() => throwAnError()), 4);
    const error = await seen;
    const answer = await client.ask('after');
    stop();
    await client.close();
    await app.close();
    process.stdout.write(JSON.stringify({ errors: [error], answer }));
  },
};

/** A handler whose error belongs to no call. */
function throwLater(value) {
  if (value === 'throw') setImmediate(throwAnError);
  return value;
}

function throwAnError() {
  throw new Error('of the handler');
}

await WAYS[process.argv[2]]();
