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
  private readonly ids = new Map<string, ToldId>();
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

  /** Lets clients through again. Connections that went silent end: what they missed is gone. */
  restore(): void {
    if (this.cut === 'silence') for (const socket of this.sockets) socket.destroy();
    this.cut = undefined;
    this.refused = undefined;
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
    const broker = connect(this.target.port, this.target.host);
    /** What the requests under way ask for, by correlation id. */
    const asked = new Map<number, number>();
    const pass = (from: Socket, to: Socket, look: (frame: Buffer) => void): void => {
      let rest = Buffer.alloc(0);
      from.on('data', (data) => {
        if (this.cut) return;
        rest = Buffer.concat([rest, data]);
        while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
          const frame = rest.subarray(0, 4 + rest.readInt32BE(0));
          rest = rest.subarray(frame.length);
          look(frame);
          to.write(Buffer.from(frame));
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
    });
    pass(broker, client, (frame) => {
      const id = frame.readInt32BE(4);
      const api = asked.get(id);
      asked.delete(id);
      if (api === METADATA || api === FIND_COORDINATOR) this.rename(frame, own);
      if (api === METADATA) this.forgeIds(frame);
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
