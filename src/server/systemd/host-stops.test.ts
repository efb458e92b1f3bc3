import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { managerStops } from './host-stops.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-systemctl-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Checks with a fake `systemctl` whose managers report these states. */
async function stops(host: string, user: string): Promise<boolean> {
  const answer = `if [ "$1" = --user ]; then echo ${user}; else echo ${host}; fi; exit 1`;
  writeFileSync(join(directory, 'systemctl'), `#!/bin/sh\n${answer}\n`, { mode: 0o755 });
  return await managerStops({ PATH: directory });
}

it('detects the shutdown of the host or the end of the user’s session for any user', async () => {
  expect(await stops('stopping', 'running')).toBe(true);
  expect(await stops('running', 'stopping')).toBe(true);
  expect(await stops('stopping', '')).toBe(true);
  expect(await stops('degraded', 'running')).toBe(false);
  expect(await managerStops({ PATH: join(directory, 'nowhere') })).toBe(false);
});
