/**
 * TCP proxies between one process and the brokers of a cluster, which do to their connections what networks do. They
 * read as much of Kafka's frames as it takes to name themselves where an answer names a broker, and to tell the answers
 * to one kind of request from others.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Requests whose answers name brokers: Produce, Fetch, Metadata, FindCoordinator, DescribeCluster. */
const NAMING = new Set([0, 1, 3, 10, 60]);

/** The requests whose answers can be held back, by their keys in the protocol. */
export const HELD = {
  Produce: 0,
  OffsetCommit: 8,
  JoinGroup: 11,
  SyncGroup: 14,
  EndTxn: 26,
  TxnOffsetCommit: 28,
  ConsumerGroupHeartbeat: 68,
};

/** What may wait for a slow connection, in bytes, before the other side is read no further. */
const QUEUED = 1 << 20;
/** A slow line gives its bytes in pieces, each after so many ms. */
const PIECE_MS = 20;
/** A frame is cut into single bytes only where that is cheap. */
const SHREDDED = 2048;
/** How often a frame is the one within which its connection ends. */
const RESETS = 0.3;

/**
 * What a proxy does to its connections; each is one of
 *
 *   { kind: 'refuse' }            ends all connections and takes no new one
 *   { kind: 'reset', of }         ends connections in the middle of a frame, now and then
 *   { kind: 'silence', of }       passes nothing on, from 'client' or from 'broker'
 *   { kind: 'delay', ms }         delays what comes from the broker, by up to twice as long
 *   { kind: 'narrow', bytes }     passes so many bytes a second
 *   { kind: 'shred' }             writes single bytes
 *   { kind: 'hold', api, ms }     keeps the answers to one kind of request back for so long
 */
export class Proxies {
  #proxies = [];

  /** Proxies for one process, one before each broker. */
  static async before(brokers, random) {
    const proxies = new Proxies();
    for (const broker of brokers) {
      const [host, port] = broker.split(':');
      proxies.#proxies.push(new Proxy(host, Number(port), random, (frame) => proxies.#rename(frame)));
    }
    await Promise.all(proxies.#proxies.map((proxy) => proxy.listen()));
    return proxies;
  }

  /** What the process gets instead of the brokers' addresses. */
  get addresses() {
    return this.#proxies.map(({ address }) => address);
  }

  /** Does something to the connections to one broker, or to all; undefined lets them alone again. */
  disturb(fault, broker) {
    for (const [index, proxy] of this.#proxies.entries()) {
      if (broker === undefined || broker === index) proxy.disturb(fault);
    }
  }

  async close() {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  /** Puts the proxies' ports where a frame names the brokers': as the host, followed by the port's four bytes. */
  #rename(frame) {
    for (const { name, port } of this.#proxies) {
      for (let at = frame.indexOf(name); at >= 0; at = frame.indexOf(name, at + 1)) {
        frame.writeInt32BE(port, at + name.length - 4);
      }
    }
  }
}

class Proxy {
  #host;
  #target;
  #random;
  #rename;
  #server;
  #sockets = new Set();
  #fault;
  port;
  /** The broker, as answers name it. */
  name;

  constructor(host, target, random, rename) {
    this.#host = host;
    this.#target = target;
    this.#random = random;
    this.#rename = rename;
    this.name = Buffer.concat([Buffer.from(host), Buffer.alloc(4)]);
    this.name.writeInt32BE(target, this.name.length - 4);
  }

  async listen() {
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  disturb(fault) {
    const wasSilent = this.#fault?.kind === 'silence';
    this.#fault = fault;
    // What a silent connection has swallowed is missing in its stream.
    if (fault?.kind === 'refuse' || wasSilent) this.#endAll();
  }

  async close() {
    this.#endAll();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #endAll() {
    for (const socket of this.#sockets) reset(socket);
  }

  #accept(client) {
    client.on('error', () => undefined);
    if (this.#fault?.kind === 'refuse') {
      reset(client);
      return;
    }
    const broker = connect(this.#target, this.#host);
    /** What the requests under way ask for, by correlation id. */
    const asked = new Map();
    this.#pass(client, broker, 'client', (frame) => {
      asked.set(frame.readInt32BE(8), frame.readInt16BE(4));
    });
    this.#pass(broker, client, 'broker', (frame) => {
      const id = frame.readInt32BE(4);
      const api = asked.get(id);
      asked.delete(id);
      if (NAMING.has(api)) this.#rename(frame);
      return api;
    });
  }

  /** Passes the frames of one direction on, in order. */
  #pass(from, to, side, look) {
    let rest = Buffer.alloc(0);
    let queue = Promise.resolve();
    let queued = 0;
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (data) => {
      if (this.#fault?.kind === 'silence' && this.#fault.of === side) return;
      rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const frame = Buffer.from(rest.subarray(0, 4 + rest.readInt32BE(0)));
        rest = rest.subarray(frame.length);
        const give = this.#writer(to, frame, side, look(frame));
        queued += frame.length;
        queue = after(queue, async () => {
          await give();
          queued -= frame.length;
          if (queued < QUEUED) from.resume();
        });
      }
      if (queued >= QUEUED) from.pause();
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      // What is on its way arrives first.
      queue = after(queue, () => to.destroy());
    });
  }

  /** What becomes of a frame is decided when it comes, and done when what came before it is through. */
  #writer(to, frame, side, api) {
    const fault = this.#fault;
    switch (fault?.kind) {
      case 'reset':
        if (side !== fault.of || this.#random.next() > RESETS) break;
        return async () => {
          await write(to, frame.subarray(0, Math.ceil(frame.length / 2)));
          reset(to);
        };
      case 'delay':
        if (side !== 'broker') break;
        return async () => {
          await later(this.#random.next() * 2 * fault.ms);
          await write(to, frame);
        };
      case 'narrow':
        return () => writeSlowly(to, frame, Math.ceil((fault.bytes / 1000) * PIECE_MS));
      case 'hold':
        if (side !== 'broker' || api !== HELD[fault.api]) break;
        return async () => {
          await later(fault.ms);
          await write(to, frame);
        };
      case 'shred':
        if (frame.length <= SHREDDED) return () => writeSlowly(to, frame, 1);
        break;
      default:
    }
    return () => write(to, frame);
  }
}

async function after(before, work) {
  await before;
  await work();
}

/** Ends a connection as a network does. One that is being opened or closed cannot be reset: libuv would never let go of it. */
function reset(socket) {
  if (socket.connecting || socket.writableEnded || socket.readableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Resolves when a socket takes more, or is closed. */
async function write(to, data) {
  if (to.destroyed || to.write(data)) return;
  await new Promise((resolve) => {
    to.once('drain', resolve);
    to.once('close', resolve);
  });
}

async function writeSlowly(to, frame, piece) {
  for (let at = 0; at < frame.length && !to.destroyed; at += piece) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
    await write(to, frame.subarray(at, at + piece));
    // oxlint-disable-next-line no-await-in-loop -- as above
    await (piece === 1 ? new Promise(setImmediate) : later(PIECE_MS));
  }
}

function later(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
