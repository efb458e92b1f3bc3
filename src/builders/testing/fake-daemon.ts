import type { Duplex } from 'node:stream';
import type { FakeAgent } from '../../guest/testing/fake-agent.ts';

/** A daemon that answers each request with what was asked for. */
export function listen(agent: FakeAgent): void {
  agent.sockets.listening.set('/run/docker.sock', (connection: Duplex) => {
    connection.once('data', (data: Buffer) => {
      const line = data.toString().split('\r\n')[0] ?? '';
      connection.end(`HTTP/1.1 200 OK\r\nContent-Length: ${line.length}\r\n\r\n${line}`);
    });
  });
}
