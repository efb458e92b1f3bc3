/**
 * Sockets in the box of a fake agent.
 *
 * @module
 */
import type { ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { FakeRefusal } from './fake-refusal.ts';

export class FakeSockets {
  /** Serves the connections to a Unix socket of the box, by its path. */
  readonly listening = new Map<string, (connection: Duplex) => void>();
  readonly #waiting = new Map<string, ServerHttp2Stream[]>();
  readonly #connecting = new Map<string, ((connection: Duplex) => void)[]>();

  /** Serves the connections to a port of the box. */
  readonly ports = new Map<number, (connection: Duplex) => void>();
  /** What a program of the box gets that connects to a port. */
  dial(port: number): Promise<Duplex> {
    return new Promise((resolve) => {
      add(this.#connecting, String(port), resolve);
      this.#match(String(port));
    });
  }

  async connect(stream: ServerHttp2Stream, query: URLSearchParams): Promise<void> {
    const path = query.get('path') ?? '';
    const serve = this.listening.get(path);
    if (serve === undefined) throw new FakeRefusal('socket-refused', `connect ${path}: refused`);
    stream.respond({ ':status': 200 });
    serve(stream);
  }

  async dialed(stream: ServerHttp2Stream, query: URLSearchParams): Promise<void> {
    const port = Number(query.get('port'));
    const serve = this.ports.get(port);
    if (serve === undefined) throw new FakeRefusal('socket-refused', `dial ${port}: refused`);
    stream.respond({ ':status': 200 });
    serve(stream);
  }

  async accept(stream: ServerHttp2Stream, query: URLSearchParams): Promise<void> {
    const port = query.get('port') ?? '';
    add(this.#waiting, port, stream);
    stream.once('close', () => {
      const waiting = this.#waiting.get(port) ?? [];
      if (waiting.includes(stream)) waiting.splice(waiting.indexOf(stream), 1);
    });
    this.#match(port);
  }

  #match(port: string): void {
    const waiting = this.#waiting.get(port) ?? [];
    const connecting = this.#connecting.get(port) ?? [];
    while (waiting.length > 0 && connecting.length > 0) {
      const stream = waiting.shift();
      const connected = connecting.shift();
      stream?.respond({ ':status': 200 });
      if (stream !== undefined) connected?.(stream);
    }
  }
}

function add<T>(to: Map<string, T[]>, key: string, value: T): void {
  to.set(key, [...(to.get(key) ?? []), value]);
}
