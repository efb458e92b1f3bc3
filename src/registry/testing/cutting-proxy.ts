/**
 * A network between a client and a registry, which a test can cut.
 *
 * @module
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /**
   * Cuts the connections once so many more bytes have passed, counted in both directions; each
   * once.
   */
  cutAfter(...bytes: readonly number[]): void;
  readonly cuts: number;
  stop(): Promise<void>;
}

/** @param target `HOST:PORT` */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const [targetHost = '', targetPort = ''] = target.split(':');
  const sockets = new Set<Socket>();
  let planned: number[] = [];
  let cuts = 0;
  const cut = (): void => {
    planned.shift();
    cuts += 1;
    for (const socket of sockets) socket.destroy();
  };
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    from.on('end', () => to.end());
    from.on('data', (data: Buffer) => {
      const [left] = planned;
      if (left !== undefined && data.length >= left) {
        to.write(data.subarray(0, left), cut);
        from.pause();
        return;
      }
      if (left !== undefined) planned[0] = left - data.length;
      if (!to.write(data)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({
      host: targetHost,
      port: Number(targetPort),
      allowHalfOpen: true,
    });
    pass(client, upstream);
    pass(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter: (...bytes) => {
      planned = [...bytes];
    },
    get cuts() {
      return cuts;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
