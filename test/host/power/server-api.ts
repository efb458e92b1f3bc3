/**
 * Requests to the control server, without the time that a command line takes to start.
 *
 * @module
 */
import { request } from 'node:http';

export class ServerApi {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async json(path: string): Promise<unknown> {
    return JSON.parse((await this.bytes('GET', path)).toString());
  }

  /** @throws Error with what the server says, for any other answer than success */
  bytes(method: string, path: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.#socketPath, path, method }, (response) => {
        const chunks: Buffer[] = [];
        response.on('error', reject);
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const body = Buffer.concat(chunks);
          if ((response.statusCode ?? 500) < 400) resolve(body);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${body}`));
        });
      });
      call.on('error', reject);
      call.end();
    });
  }

  /** What a box has written to its standard output. */
  async output(id: string): Promise<string> {
    const bytes = await this.bytes('GET', `/containers/${id}/logs?stdout=1`);
    const parts: Buffer[] = [];
    // Docker's frames: stream, three zeros, length, payload.
    for (let at = 0; at + 8 <= bytes.length; ) {
      const length = bytes.readUInt32BE(at + 4);
      parts.push(bytes.subarray(at + 8, at + 8 + length));
      at += 8 + length;
    }
    return Buffer.concat(parts).toString();
  }
}
