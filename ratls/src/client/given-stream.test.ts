import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { agentServer } from '../testing/agent-server.ts';
import { guestSource, trusting } from '../testing/simulated-source.ts';
import { connect } from './connect.ts';

type Changes = Parameters<typeof trusting>[1];

/** A session over a stream that the caller opened. */
async function over(port: number, changes: Changes = {}) {
  const socket = connectTcp(port, '127.0.0.1');
  await once(socket, 'connect');
  const { host: _, port: __, ...trust } = trusting(port, changes);
  return { socket, opened: connect({ ...trust, socket }) };
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}

describe('a stream that was given', () => {
  it('destroys the given stream when the session closes', async () => {
    await using server = await agentServer({ source: guestSource() });
    const { socket, opened } = await over(server.port);
    const session = await opened;
    expect(socket.destroyed).toBe(false);
    session.close();
    await closed(socket);
  });

  it.each<[string, Changes]>([
    ['simulated-not-allowed', { allowSimulated: false }],
    ['aborted', { signal: AbortSignal.abort() }],
    ['timeout', { timeout: 0 }],
    ['expected-deployment', { expect: { deployment: 'another' } }],
  ])('destroys the given stream when no session opens: %s', async (code, changes) => {
    await using server = await agentServer({ source: guestSource() });
    const { socket, opened } = await over(server.port, changes);
    await expect(opened).rejects.toMatchObject({ code });
    await closed(socket);
  });
});
