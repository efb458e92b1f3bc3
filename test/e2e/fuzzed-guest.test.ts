// A guest that was taken over, and abuses the devices of its microVM: on each engine.
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { engineSettings, installEngine } from './support/engine-under-test.ts';
import { hostileBootSet } from './support/hostile-boot-set.ts';
import { scaled } from './time-scale.ts';

const MOST_MEMORY = 400 * 1024;
/** It boots in some six, writes noise for four, and abuses its devices for the others. */
const START_SECONDS = 25;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
  installEngine(installation.root, 'krun');
});
afterAll(() => installation.remove());

describe.each(ANY_ACTOR)('the devices of a microVM of %s', (name) => {
  it.each(['qemu', 'krun'] as const)(
    'leave the server and other boxes as they are when a guest of %s abuses them',
    async (engine) => {
      const actor = new Actor(name, installation);
      try {
        await actor.load('busybox');
        const settings = engineSettings(installation.root, engine);
        const plain = ['run', '-d', '--network', 'none'];
        const other = await actor.ok([...plain, BUSYBOX, 'sleep', '1000'], { env: settings });
        await actor.stopServer();
        // The next server takes the other box over.
        const env = {
          ...settings,
          A3S_BOOT: hostileBootSet(actor, installation, 'fuzz-init.c', { modules: true }),
          A3S_START_TIMEOUT: String(scaled(START_SECONDS)),
        };
        expect(await actor.ok(['exec', other, 'echo', 'works'], { env })).toBe('works');
        const server = actor.serverPid();
        const memory = (): number =>
          Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server}/status`, 'utf8'))?.[1]);
        const before = memory();
        let most = before;
        const watch = setInterval(() => {
          most = Math.max(most, memory());
        }, 100);
        const shared = join(actor.directory, 'shared');
        await mkdir(shared);
        actor.own(shared);
        // With a file server and a network, for it to reach.
        const mounts = ['-v', `${shared}:/shared`, '-p', '127.0.0.1::80'];
        const running = actor.run(['run', ...mounts, BUSYBOX, 'echo', 'ran'], { env });
        expect(await actor.ok(['exec', other, 'echo', 'meanwhile'])).toBe('meanwhile');
        const { code, stdout, stderr } = await running;
        clearInterval(watch);
        expect({ code, stdout }, stderr).toEqual({ code: 125, stdout: '' });
        // It came to its devices: its console is quoted.
        expect(stderr).toMatch(/without drivers\n(.*\n)*.*[1-9] devices/);
        expect(most - before).toBeLessThan(MOST_MEMORY);
        expect(actor.serverPid()).toBe(server);
        expect(await actor.ok(['exec', other, 'echo', 'still'])).toBe('still');
        expect(await actor.ok(['ps', '--all', '--quiet', '--no-trunc'])).toBe(other);
      } finally {
        await actor.leave();
      }
      expect(actor.remains()).toEqual([]);
    },
  );
});
