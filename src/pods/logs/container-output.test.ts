import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { OutputChunk } from '../../guest/frame.ts';
import { ContainerLog } from './container-log.ts';
import { ContainerOutput } from './container-output.ts';
import { LOG_START } from './log-position.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-output-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const { signal } = new AbortController();

function log(): Promise<ContainerLog> {
  return ContainerLog.open({
    ...{ path: join(directory, '0.log'), position: LOG_START, signal },
    ...{ save: () => undefined, onFailure: (error) => expect.fail(String(error)) },
  });
}

/** The output of an agent from an offset on; `broken` has the connection break at its end. */
function outputOf(
  pieces: readonly [OutputChunk['stream'], string][],
  { from = 0, broken = false } = {},
) {
  const acknowledged: number[] = [];
  async function* chunks(): AsyncGenerator<OutputChunk> {
    let offset = 0;
    for (const [stream, text] of pieces) {
      if (offset >= from) yield { stream, offset, data: Buffer.from(text) };
      offset += text.length;
    }
    if (broken) throw new Error('the connection broke');
  }
  const ack = (offset: number): void => void acknowledged.push(offset);
  return Object.assign(chunks(), { ack, acknowledged });
}

it('goes on with another connection where the one before broke', async () => {
  const output = new ContainerOutput(await log());
  const first = outputOf([['stdout', 'a\nb']], { broken: true });
  await expect(output.copy(first)).rejects.toThrow('the connection broke');
  expect(output.next).toBe(3);
  const pieces: [OutputChunk['stream'], string][] = [
    ['stdout', 'a\nb'],
    ['stdout', 'c\n'],
  ];
  const second = outputOf(pieces, { from: output.next });
  await output.copy(second);
  // An agent takes no acknowledgement of what came before its reader.
  expect(Math.min(...second.acknowledged)).toBeGreaterThanOrEqual(3);
  await output.close();
  const text = readFileSync(join(directory, '0.log'), 'utf8');
  expect(text.replace(/^\S+ /gm, '')).toBe('stdout F a\nstdout F bc\n');
});

it('shows who follows what comes from then on, with a log and without one', async () => {
  for (const kept of [await log(), undefined]) {
    const output = new ContainerOutput(kept);
    await output.copy(outputOf([['stdout', 'before\n']], { broken: true })).catch(() => undefined);
    const seen: string[] = [];
    const following = output.follow(signal);
    const first = following.next();
    const copied = output.copy(
      outputOf(
        [
          ['stdout', 'before\n'],
          ['stdout', 'during\n'],
          ['stderr', 'the end'],
        ],
        { from: output.next },
      ),
    );
    const { value } = await first;
    seen.push(`${value?.stream} ${value?.data}`);
    for await (const { stream, data } of following) seen.push(`${stream} ${data}`);
    await copied;
    expect(seen).toEqual(['stdout during\n', 'stderr the end']);
    await output.close();
  }
});

it('acknowledges all that came where there is no log', async () => {
  const output = new ContainerOutput(undefined);
  const pieces = outputOf([
    ['stdout', 'abc'],
    ['stderr', 'de'],
  ]);
  await output.copy(pieces);
  expect(pieces.acknowledged).toEqual([3, 5]);
});

it('ends for who follows when this server leaves the container', async () => {
  const output = new ContainerOutput(undefined);
  const first = output.follow(signal).next();
  await output.close();
  expect((await first).done).toBe(true);
});
