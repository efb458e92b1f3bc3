import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';

it('exits with the given status without waiting for worker threads', async () => {
  const exit = pathToFileURL(join(import.meta.dirname, 'exit.ts')).href;
  // A key of that size takes minutes, which `process.exit` would wait for.
  const program = `
    import { generateKeyPair } from 'node:crypto';
    import { writeSync } from 'node:fs';
    const { exit } = await import(${JSON.stringify(exit)});
    generateKeyPair('rsa', { modulusLength: 16384 }, () => undefined);
    writeSync(1, 'exiting');
    await exit(3);
  `;
  const args = ['--import', 'tsx', '--input-type=module', '-e', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  expect(await text(child.stdout)).toBe('exiting');
  expect(await ended).toEqual([3, null]);
});
