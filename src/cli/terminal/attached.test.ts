import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { attached } from './attached.ts';
import { AttachedStream } from './attached-stream.ts';
import type { Waiting } from './wait.ts';

function attachedStream(stream: PassThrough): AttachedStream {
  const options = { terminal: true, input: false, detachKeys: Buffer.alloc(0) };
  return new AttachedStream({ stdout: new PassThrough() } as never, stream, options);
}

describe('an attached stream and its exit status', () => {
  it('returns an attached stream together with its exit status', async () => {
    const opened = attachedStream(new PassThrough());
    const waiting: Waiting = { status: async () => 0, cancel: () => undefined };
    const both = await attached(Promise.resolve(opened), Promise.resolve(waiting));
    expect(both).toEqual({ stream: opened, waiting });
    opened.close();
  });

  it('cancels the wait when the stream fails', async () => {
    let cancelled = 0;
    const waiting: Waiting = { status: async () => 0, cancel: () => cancelled++ };
    const failed = attached(Promise.reject(new Error('no stream')), Promise.resolve(waiting));
    await expect(failed).rejects.toThrow('no stream');
    expect(cancelled).toBe(1);
  });

  it('closes the stream when the wait fails', async () => {
    const stream = new PassThrough();
    const failed = attached(
      Promise.resolve(attachedStream(stream)),
      Promise.reject(new Error('no wait')),
    );
    await expect(failed).rejects.toThrow('no wait');
    expect(stream.destroyed).toBe(true);
  });
});
