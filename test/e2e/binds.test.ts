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

describe.each(ACTORS)('a bind mount of %s', (name) => {
  let actor: Actor;
  let shared: string;
  /** One box has all of them. */
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    shared = join(actor.directory, 'shared');
    const [program, ...args] = actor.program('mkdir', [shared]);
    expect(spawnSync(program, args).status).toBe(0);
    writeFileSync(join(shared, 'given'), 'from the host\n');
    writeFileSync(join(shared, 'sibling'), 'not yours\n');
    if (name === 'ordinary user' && process.getuid?.() === 0) {
      for (const file of ['given', 'sibling']) chownSync(join(shared, file), 64_321, 64_321);
    }
    await actor.ok([
      ...['run', '-d', '--name', 'bound', '--network', 'none'],
      ...['-v', `${shared}:/data`, '-v', `${shared}:/read-only:ro`],
      ...['-v', `${join(shared, 'given')}:/etc/given:ro`, '-v', `${join(shared, 'new')}:/new`],
      ...[BUSYBOX, 'sleep', '1000'],
    ]);
  });
  afterAll(() => actor.leave());

  const inBox = (script: string) => actor.run(['exec', 'bound', 'sh', '-c', script]);

  it('a bind mount can be read and written from both sides', async () => {
    const result = await inBox('cat /data/given && echo from the box > /data/made');
    expect(result).toMatchObject({ code: 0, stdout: 'from the host\n', stderr: '' });
    expect(readFileSync(join(shared, 'made'), 'utf8')).toBe('from the box\n');
  });

  it('a read-only bind mount cannot be written', async () => {
    const result = await inBox('cat /read-only/given; echo x > /read-only/forbidden');
    expect(result.stdout).toBe('from the host\n');
    expect(result.code).not.toBe(0);
    expect(existsSync(join(shared, 'forbidden'))).toBe(false);
  });

  it('a bind mount of one file does not show its siblings', async () => {
    const result = await inBox('cat /etc/given; grep " /etc/given " /proc/mounts');
    expect(result.stdout).toMatch(/^from the host\n/);
    expect(result.stdout).not.toContain('sibling');
    expect(result.code).toBe(0);
  });

  it('a bind mount opens no device nodes of the host', async () => {
    const result = await inBox('grep " /data " /proc/mounts');
    expect(result.stdout).toMatch(/virtiofs .*nodev/);
  });

  it('a missing bind source is created, as Docker does', async () => {
    expect(existsSync(join(shared, 'new'))).toBe(true);
    expect((await inBox('touch /new/made')).code).toBe(0);
    expect(existsSync(join(shared, 'new', 'made'))).toBe(true);
  });
});
