import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endNameServer, forgetEndedServer } from './name-server.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-names-'));
  const config = join(directory, 'netavark', 'aardvark-dns');
  mkdirSync(config, { recursive: true });
  file = join(config, 'aardvark.pid');
});
afterEach(() => rmSync(directory, { recursive: true }));

it.each([
  ['no server’s process', String(process.pid)],
  ['every process', '-1'],
  ['no number', '1'.repeat(64)],
])('lets netavark send no signal to what the file names: %s', async (_, content) => {
  const place = { directory, holder: join(directory, 'holder'), identity: undefined };
  writeFileSync(file, content);
  // Else this process were gone.
  endNameServer(place);
  await forgetEndedServer(place);
  expect(existsSync(file)).toBe(false);
  await forgetEndedServer(place);
});
