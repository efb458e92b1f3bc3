import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

const run = (...args: string[]) => ['run', '--rm', '--network', 'none', ...args];

describe.each(ACTORS)('a bind mount of %s', (name) => {
  let actor: Actor;
  let shared: string;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.load('busybox');
    shared = join(actor.directory, 'shared');
    const [program, ...args] = actor.program('mkdir', [shared]);
    expect(spawnSync(program, args).status).toBe(0);
    writeFileSync(join(shared, 'given'), 'from the host\n');
    writeFileSync(join(shared, 'sibling'), 'not yours\n');
    if (name === 'ordinary user' && process.getuid?.() === 0) {
      for (const file of ['given', 'sibling']) chownSync(join(shared, file), 64_321, 64_321);
    }
  });
  afterAll(() => actor.leave());

  it('is read and written from both sides', async () => {
    const result = await actor.run(
      run(
        '-v',
        `${shared}:/data`,
        BUSYBOX,
        'sh',
        '-c',
        'cat /data/given && echo from the box > /data/made',
      ),
    );
    expect(result).toMatchObject({ code: 0, stdout: 'from the host\n', stderr: '' });
    expect(readFileSync(join(shared, 'made'), 'utf8')).toBe('from the box\n');
  });

  it('cannot be written when it is read-only', async () => {
    const result = await actor.run(
      run(
        '-v',
        `${shared}:/data:ro`,
        BUSYBOX,
        'sh',
        '-c',
        'cat /data/given; echo x > /data/forbidden',
      ),
    );
    expect(result.stdout).toBe('from the host\n');
    expect(result.code).not.toBe(0);
    expect(existsSync(join(shared, 'forbidden'))).toBe(false);
  });

  it('can be one file, which shows none of its siblings', async () => {
    const result = await actor.run(
      run(
        '-v',
        `${join(shared, 'given')}:/etc/given:ro`,
        BUSYBOX,
        'sh',
        '-c',
        'cat /etc/given; grep given /proc/mounts',
      ),
    );
    expect(result.stdout).toMatch(/^from the host\n/);
    expect(result.stdout).not.toContain('sibling');
    expect(result.code).toBe(0);
  });

  it('opens no device node that the host holds', async () => {
    const result = await actor.run(
      run('-v', `${shared}:/data`, BUSYBOX, 'sh', '-c', 'grep " /data " /proc/mounts'),
    );
    expect(result.stdout).toMatch(/virtiofs .*nodev/);
  });

  it('is made when it is missing, as Docker makes it', async () => {
    const missing = join(shared, 'new');
    await actor.ok(run('-v', `${missing}:/data`, BUSYBOX, 'true'));
    expect(existsSync(missing)).toBe(true);
  });
});
