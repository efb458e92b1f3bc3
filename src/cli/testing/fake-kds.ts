/**
 * A fake of AMD's key distribution service, on a loopback address.
 *
 * @module
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export class FakeKds {
  readonly #server = createServer((request, response) => {
    const url = request.url ?? '';
    this.asked.push(url);
    if (this.silent) return;
    const [path = ''] = url.split('?');
    const body = this.answers.get(url) ?? this.answers.get(path);
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });

  /** Body by path, or by path and query. */
  readonly answers = new Map<string, Uint8Array>();
  readonly asked: string[] = [];
  /** Accepts requests and never answers. */
  silent = false;

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
