import { describe, expect, it } from 'vitest';
import { copyInput, DETACHED } from './client-stream.ts';

describe('detach keys', () => {
  const KEYS = Uint8Array.of(16, 17);

  async function type(...chunks: readonly (readonly number[])[]) {
    const passed: number[] = [];
    const input = (async function* () {
      for (const chunk of chunks) yield Uint8Array.from(chunk);
    })();
    const result = await copyInput(input, KEYS, async (bytes) => {
      passed.push(...bytes);
    });
    return { passed, detached: result === DETACHED };
  }

  it('detaches on the detach keys, also in two chunks, and does not pass them on', async () => {
    expect(await type([1, 16, 17, 2])).toEqual({ passed: [1], detached: true });
    expect(await type([1, 16], [17, 2])).toEqual({ passed: [1], detached: true });
    expect(await type([16, 16, 17])).toEqual({ passed: [16], detached: true });
  });

  it('passes on a single detach key as input', async () => {
    expect(await type([16, 1, 17], [16], [1])).toEqual({
      passed: [16, 1, 17, 16, 1],
      detached: false,
    });
  });
});
