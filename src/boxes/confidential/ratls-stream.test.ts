import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { duplexPair } from '../../engine/testing/duplex-pair.ts';
import type { ClientStream } from '../run/client-stream.ts';
import { carryRatls } from './ratls-stream.ts';

const SOON_MS = 30;
const NEVER_MS = 3_600_000;

interface Client {
  readonly client: ClientStream;
  readonly received: Buffer[];
  /** Aborts `gone`, as when the server notices that the client has disconnected. */
  vanish(): void;
}

/** @param input yields the bytes that the client sends; its end closes the client's sending side */
function fakeClient(input: AsyncIterable<Uint8Array>): Client {
  const gone = new AbortController();
  const received: Buffer[] = [];
  const client: ClientStream = {
    input,
    gone: gone.signal,
    write: async (_, bytes) => void received.push(Buffer.from(bytes)),
  };
  return { client, received, vanish: () => gone.abort() };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
async function* noEnd(): AsyncGenerator<Uint8Array> {
  await new Promise(() => undefined);
}
async function* everything(): AsyncGenerator<Uint8Array> {
  for (;;) yield Buffer.alloc(65_536);
}

function streamPair(): [Duplex, Duplex] {
  const [host, guest] = duplexPair();
  guest.on('error', () => undefined);
  return [host, guest];
}

describe('a RA-TLS connection to a guest', () => {
  it('closes the connection to a silent guest when the client vanishes', async () => {
    const [host, guest] = streamPair();
    const { client, vanish } = fakeClient(noEnd());
    const carried = carryRatls(host, client, NEVER_MS);
    vanish();
    await carried;
    await once(guest, 'close');
  });

  it('opens no connection for a client that has already gone', async () => {
    const [host] = streamPair();
    const { client, vanish } = fakeClient(noEnd());
    vanish();
    await carryRatls(host, client, NEVER_MS);
    expect(host.destroyed).toBe(true);
  });

  it('closes the connection when the client has ended and the guest stays silent', async () => {
    const [host, guest] = streamPair();
    guest.resume();
    const { client } = fakeClient(nothing());
    await carryRatls(host, client, SOON_MS);
    expect(host.destroyed).toBe(true);
  });

  it('delivers what the guest sends after its client has ended', async () => {
    const [host, guest] = streamPair();
    guest.on('end', () => guest.end('late'));
    guest.resume();
    const { client, received } = fakeClient(nothing());
    await carryRatls(host, client, NEVER_MS);
    expect(String(Buffer.concat(received))).toBe('late');
  });

  it('closes the connection when the guest reads nothing', async () => {
    const [host] = streamPair();
    const { client } = fakeClient(everything());
    await carryRatls(host, client, SOON_MS);
    expect(host.destroyed).toBe(true);
  });

  it('stops reading from a guest that sends more than its client reads', async () => {
    const [host, guest] = streamPair();
    let said = 0;
    const piece = Buffer.alloc(65_536);
    const pour = (): void => {
      while (!guest.destroyed && said < 2 ** 30 && guest.write(piece)) said += piece.length;
    };
    guest.on('drain', pour);
    pour();
    const { client, vanish } = fakeClient(noEnd());
    let asked = 0;
    const slow: ClientStream = {
      ...client,
      write: () => {
        asked += 1;
        return new Promise((resolve) => {
          client.gone.addEventListener('abort', () => resolve());
        });
      },
    };
    const carried = carryRatls(host, slow, NEVER_MS);
    await expect.poll(() => asked).toBe(1);
    expect(said).toBeLessThan(2 ** 20);
    vanish();
    await carried;
  });
});
