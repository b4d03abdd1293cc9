import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const METADATA = 3;
const FIND_COORDINATOR = 10;
/** Ways in which a proxy's clients are cut off. */
export type Cut = 'refuse' | 'silence';

/** The id of a topic in answers of Metadata. */
interface ToldId {
  readonly forged: Buffer | undefined;
  truth: Buffer;
  answers: number;
}

/**
 * A TCP proxy in front of a broker that can cut its clients off. It speaks enough Kafka to keep them: wherever a response of Metadata or
 * FindCoordinator names the broker's port, its own port (of as many digits or not: it is a number) is put in its place.
 */
export class Proxy {
  private readonly sockets = new Set<Socket>();
  private cut: Cut | undefined;
  private refused: number | undefined;
  /** How many connections clients have made. */
  accepted = 0;
  private readonly ids = new Map<string, ToldId>();
  private brokerless: { answers: number } | undefined;
  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
    readonly address: string,
  ) {}

  static async before(brokers: string): Promise<Proxy> {
    const [host = '', port = ''] = brokers.split(':');
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port: own } = server.address() as AddressInfo;
    const proxy = new Proxy(server, { host, port: Number(port) }, `127.0.0.1:${own}`);
    server.on('connection', (socket) => proxy.accept(socket, own));
    return proxy;
  }

  /** Ends all connections and refuses new ones, or lets all go silent. */
  interrupt(cut: Cut): void {
    this.cut = cut;
    if (cut === 'refuse') for (const socket of this.sockets) socket.destroy();
  }

  /** Ends a connection that brings a request of this API key, as brokers do with those that they do not know. */
  refuseRequests(apiKey: number): void {
    this.refused = apiKey;
  }

  /** From here on answers of Metadata say that a topic has this id, or the true one. What is returned tells of these answers. */
  tellId(topic: string, forged?: Buffer): ToldId {
    const told = { forged, answers: 0, truth: Buffer.alloc(0) };
    this.ids.set(topic, told);
    return told;
  }

  /**
   * From here on answers of Metadata name no brokers, as those of a broker that has just been started and knows nothing of its cluster
   * yet. What is returned counts them.
   */
  tellNoBrokers(): { readonly answers: number } {
    this.brokerless = { answers: 0 };
    return this.brokerless;
  }

  /** Lets clients through again. Connections that went silent end: what they missed is gone. */
  restore(): void {
    if (this.cut === 'silence') for (const socket of this.sockets) socket.destroy();
    this.cut = undefined;
    this.refused = undefined;
    this.brokerless = undefined;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private accept(client: Socket, own: number): void {
    if (this.cut === 'refuse') {
      client.destroy();
      return;
    }
    this.accepted += 1;
    const broker = connect(this.target.port, this.target.host);
    /** What the requests under way ask for, by correlation id. */
    const asked = new Map<number, number>();
    const pass = (from: Socket, to: Socket, look: (frame: Buffer) => Buffer): void => {
      let rest = Buffer.alloc(0);
      from.on('data', (data) => {
        if (this.cut) return;
        rest = Buffer.concat([rest, data]);
        while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
          const frame = rest.subarray(0, 4 + rest.readInt32BE(0));
          rest = rest.subarray(frame.length);
          to.write(Buffer.from(look(frame)));
        }
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      this.sockets.add(from);
    };
    pass(client, broker, (frame) => {
      if (frame.readInt16BE(4) === this.refused) client.destroy();
      asked.set(frame.readInt32BE(8), frame.readInt16BE(4));
      return frame;
    });
    pass(broker, client, (frame) => {
      const id = frame.readInt32BE(4);
      const api = asked.get(id);
      asked.delete(id);
      if (api === METADATA || api === FIND_COORDINATOR) this.rename(frame, own);
      if (api !== METADATA) return frame;
      this.forgeIds(frame);
      if (!this.brokerless) return frame;
      this.brokerless.answers += 1;
      return withoutBrokers(frame);
    });
  }

  /** The broker is named as its host, in text, and its port, a number of four bytes. */
  private rename(frame: Buffer, own: number): void {
    const name = Buffer.concat([Buffer.from(this.target.host), Buffer.alloc(4)]);
    name.writeInt32BE(this.target.port, name.length - 4);
    for (let at = frame.indexOf(name); at >= 0; at = frame.indexOf(name, at + 1)) {
      frame.writeInt32BE(own, at + name.length - 4);
    }
  }

  /** A topic's id is behind its name, from version 10 of Metadata on, which librdkafka asks for. */
  private forgeIds(frame: Buffer): void {
    for (const [topic, told] of this.ids) {
      const at = frame.indexOf(topic) + topic.length;
      if (at < topic.length) continue;
      told.truth = Buffer.from(frame.subarray(at, at + 16));
      told.forged?.copy(frame, at);
      told.answers += 1;
    }
  }
}

/**
 * The answer of Metadata without its brokers. In the flexible versions (from 9 on), which librdkafka asks for: behind the length, the
 * request's number, the header's tags and the throttle time, an array of an id, a host, a port, a rack and tags each.
 */
function withoutBrokers(frame: Buffer): Buffer {
  const start = 4 + 4 + 1 + 4;
  let at = start + 1;
  for (let left = (frame[start] ?? 1) - 1; left > 0; left -= 1) {
    at += 4;
    at += Math.max(frame[at] ?? 0, 1); // The host; lengths are one more than there are bytes, 0 is null.
    at += 4;
    at += Math.max(frame[at] ?? 0, 1); // The rack.
    at += 1;
  }
  const shorter = Buffer.concat([frame.subarray(0, start), Buffer.from([1]), frame.subarray(at)]);
  shorter.writeInt32BE(shorter.length - 4, 0);
  return shorter;
}
