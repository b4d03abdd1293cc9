/**
 * NestJS without Kafka: a transport whose broker is this module. Messages are passed as the texts that Kafka would
 * carry, so that the cost of JSON is included, as for every transport.
 */
import { ClientProxy, Server } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';

/** The servers that listen, by topic. */
const listening = new Map();

class MemoryServer extends Server {
  listen(callback) {
    for (const topic of this.messageHandlers.keys()) listening.set(topic, this);
    callback();
  }

  close() {
    listening.clear();
  }

  /** Handles an event; resolves when its handler has finished. */
  async event(topic, text) {
    const handler = this.messageHandlers.get(topic);
    const result = await handler(JSON.parse(text), undefined);
    if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
  }

  /** Handles a request; `reply` gets the text of each value, and whether it is the last. */
  async request(topic, text, reply) {
    const handler = this.messageHandlers.get(topic);
    const result = await handler(JSON.parse(text), undefined);
    const respond = ({ response, err, isDisposed = false }) => {
      reply({ text: response === undefined ? undefined : JSON.stringify(response), err, isDisposed });
    };
    if (isObservable(result)) this.send(result, respond);
    else respond({ response: result, isDisposed: true });
  }
}

class MemoryClient extends ClientProxy {
  subscribeToResponseOf() {}

  async connect() {}

  async close() {}

  publish({ pattern, data }, callback) {
    const server = listening.get(pattern);
    if (server === undefined) {
      callback({ err: new Error(`nothing listens to ${pattern}`) });
      return () => undefined;
    }
    // Delivered in a task of its own, like a message from a socket.
    setImmediate(() => this.#deliver(server, pattern, JSON.stringify(data), callback));
    return () => undefined;
  }

  async #deliver(server, topic, text, callback) {
    try {
      await server.request(topic, text, ({ text: reply, err, isDisposed }) => {
        callback({ response: reply === undefined ? undefined : JSON.parse(reply), err, isDisposed });
      });
    } catch (err) {
      callback({ err });
    }
  }

  async dispatchEvent({ pattern, data }) {
    await listening.get(pattern).event(pattern, JSON.stringify(data));
  }
}

export function microserviceOptions() {
  return { strategy: new MemoryServer() };
}

export function createClient() {
  return new MemoryClient();
}

/**
 * Hands events to the server that listens, one after another, as a consumer does.
 *
 * @param {Buffer} bytes the texts, end to end, each of `length` ASCII characters
 */
export async function feed(topic, bytes, length) {
  const server = listening.get(topic);
  for (let from = 0; from < bytes.length; from += length) {
    await server.event(topic, bytes.latin1Slice(from, from + length));
  }
}
