// A guest that was taken over, in a real VM with a real virtio port, against the real control
// server.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { hostileBootSet } from './support/hostile-boot-set.ts';
import { scaled } from './time-scale.ts';

const MOST_MEMORY = 400 * 1024;
/** All of it passes: the guest boots in some six, and is hostile for the others. */
const START_SECONDS = scaled(20);

let installation: Installation;
let actor: Actor;
beforeAll(async () => {
  installation = await install();
});
beforeEach(async () => {
  actor = new Actor('root', installation);
  await actor.prepare();
});
afterEach(async () => {
  await actor.leave();
  expect(actor.remains()).toEqual([]);
});
afterAll(() => installation.remove());

/** Resident memory of the server, in KiB. */
function serverMemory(): number {
  const status = readFileSync(`/proc/${actor.serverPid()}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

it('a hostile guest fails alone, in time, in bounded memory and without control characters', async () => {
  const other = await actor.ok(['run', '-d', '--network', 'none', BUSYBOX, 'sleep', '1000']);
  await actor.stopServer();
  // The next server takes the other box over.
  const env = {
    A3S_BOOT: hostileBootSet(actor, installation, 'hostile-init.c'),
    A3S_START_TIMEOUT: String(START_SECONDS),
  };
  expect(await actor.ok(['exec', other, 'echo', 'works'], { env })).toBe('works');
  const server = actor.serverPid();
  const before = serverMemory();
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, serverMemory());
  }, 100);
  const running = actor.run(['run', '--network', 'none', BUSYBOX, 'echo', 'ran'], { env });
  expect(await actor.ok(['exec', other, 'echo', 'meanwhile'])).toBe('meanwhile');
  const { code, stdout, stderr } = await running;
  clearInterval(watch);
  expect({ code, stdout }).toEqual({ code: 125, stdout: '' });
  expect(stderr).toMatch(/^a3s-box: .* \(agent-(failed|timeout)\)\n/);
  // It has booted in its time: its console is quoted.
  expect(stderr).toContain('hostile guest');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(stderr).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
  expect(most - before).toBeLessThan(MOST_MEMORY);
  expect(actor.serverPid()).toBe(server);
  expect(await actor.ok(['exec', other, 'echo', 'still'])).toBe('still');
  expect(await actor.ok(['ps', '--all', '--quiet', '--no-trunc'])).toBe(other);
  expect(existsSync(join(actor.home, 'boxes', other))).toBe(true);
});
