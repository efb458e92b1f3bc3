import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { attached } from './attached.ts';
import { Session } from './session.ts';
import type { Waiting } from './wait.ts';

function session(stream: PassThrough): Session {
  const options = { terminal: true, input: false, detachKeys: Buffer.alloc(0) };
  return new Session({ stdout: new PassThrough() } as never, stream, options);
}

describe('a session and its exit status', () => {
  it('returns a session together with its exit status', async () => {
    const opened = session(new PassThrough());
    const waiting: Waiting = { status: async () => 0, cancel: () => undefined };
    const both = await attached(Promise.resolve(opened), Promise.resolve(waiting));
    expect(both).toEqual({ session: opened, waiting });
    opened.close();
  });

  it('cancels the wait when the session fails', async () => {
    let cancelled = 0;
    const waiting: Waiting = { status: async () => 0, cancel: () => cancelled++ };
    const failed = attached(Promise.reject(new Error('no session')), Promise.resolve(waiting));
    await expect(failed).rejects.toThrow('no session');
    expect(cancelled).toBe(1);
  });

  it('closes the session when the wait fails', async () => {
    const stream = new PassThrough();
    const failed = attached(Promise.resolve(session(stream)), Promise.reject(new Error('no wait')));
    await expect(failed).rejects.toThrow('no wait');
    expect(stream.destroyed).toBe(true);
  });
});
