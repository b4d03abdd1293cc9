import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { BROKERS } from './broker';

/** A port in front of the broker that does not answer until it is opened. */
export class Doorway {
  private readonly sockets = new Set<Socket>();

  private constructor(
    private server: Server,
    readonly address: string,
  ) {}

  static async closed(): Promise<Doorway> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => {
      server.close(resolve);
    });
    return new Doorway(server, `127.0.0.1:${port}`);
  }

  /** From now on connections lead to the broker. */
  async open(): Promise<void> {
    const [host = '', port = ''] = this.address.split(':');
    const [brokerHost = '', brokerPort = ''] = (BROKERS[0] ?? '').split(':');
    this.server = createServer((socket) => {
      const inner = connect(Number(brokerPort), brokerHost);
      for (const each of [socket, inner]) {
        this.sockets.add(each);
        each.on('error', () => undefined);
        each.on('close', () => {
          this.sockets.delete(each);
          socket.destroy();
          inner.destroy();
        });
      }
      socket.pipe(inner).pipe(socket);
    });
    await new Promise<void>((resolve) => {
      this.server.listen(Number(port), host, resolve);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.server.listening) return;
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }
}
