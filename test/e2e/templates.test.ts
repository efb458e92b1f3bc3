import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BootDocument, bootSetId } from '../../src/boot/document.ts';
import { ACTORS, Actor } from './actor.ts';
import { alikeFor } from './alike.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ACTORS)('templates of %s', (name) => {
  let actor: Actor;
  /** For what no user of the host makes a difference to. */
  const alike = alikeFor(name);
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.load('busybox');
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  const START = '{{.Machine.Start}} {{.Machine.Source}}';
  const list = (): Promise<string> =>
    actor.ok(['template', 'ls', '--no-trunc', '--format', '{{.ID}} {{.CPUs}} {{.State}}']);
  const onlyKey = async (): Promise<string> => (await list()).split(' ')[0] ?? '';
  const directory = (): string => join(actor.home, 'templates');

  async function startOf(box: string, ...args: string[]): Promise<string> {
    await actor.ok([
      'run',
      '-d',
      '--name',
      box,
      '--network',
      'none',
      ...args,
      BUSYBOX,
      'sleep',
      '600',
    ]);
    return await actor.ok(['inspect', '--format', START, box]);
  }

  async function events(...actions: string[]): Promise<string> {
    return await actor.ok([
      ...['events', '--since', '10m', '--until', '0s', '--filter', 'type=template'],
      ...actions.flatMap((action) => ['--filter', `event=${action}`]),
      ...['--format', '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.reason}}'],
    ]);
  }

  it('makes templates on request, and starts boxes from them', async () => {
    const progress = await actor.ok(['template', 'warm']);
    expect(progress).toMatch(/: 1 CPU: Waiting.*\n.*: 1 CPU: Booting.*\n.*: 1 CPU: Ready$/);
    const key = await onlyKey();
    expect(await list()).toBe(`${key} 1 on disk`);
    expect(readdirSync(directory())).toEqual([key]);
    expect(await startOf('first')).toBe(`template ${key}`);
    expect(await list()).toBe(`${key} 1 in use`);
    expect(await actor.ok(['exec', 'first', 'sh', '-c', 'echo hello > /x; cat /x'])).toBe('hello');
    const refused = await actor.run(['template', 'rm', key]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('(conflict)') });
    // It is on record what a box is a copy of, so the next server knows too.
    await actor.stopServer();
    expect(await list()).toBe(`${key} 1 in use`);
    expect((await actor.run(['template', 'rm', key])).code).toBe(1);
    await actor.ok(['rm', '--force', 'first']);
    expect(await list()).toBe(`${key} 1 on disk`);
  });

  alike('drops a damaged template, boots the box, and makes a new template', async () => {
    const key = await onlyKey();
    await actor.stopServer();
    flip(join(directory(), key, 'ram'), 1_000_000);
    expect(await startOf('cold')).toMatch(/^cold/);
    expect(await events('drop')).toBe(
      `drop ${key} ram: it does not have the SHA-256 that is on record`,
    );
    await until('a new one is there', async () => (await list()) === `${key} 1 on disk`);
    expect(await startOf('warm')).toBe(`template ${key}`);
    await actor.ok(['rm', '--force', 'cold', 'warm']);
  });

  alike(
    'remakes templates after an upgrade, and removes old ones with the last box that needs them',
    async () => {
      const before = await onlyKey();
      expect(await startOf('old')).toBe(`template ${before}`);
      await actor.stopServer();
      const upgraded = { env: { A3S_BOOT: anotherBootSet(installation.root) } };
      await actor.ok(['info'], upgraded);
      await until('the new one is there', async () => (await list()).includes(' 1 on disk'));
      expect(await list()).toContain(`${before} 1 in use`);
      await actor.ok(['rm', '--force', 'old']);
      const started = await startOf('new');
      expect(started).toMatch(/^template [0-9a-f]{64}$/);
      expect(started).not.toContain(before);
      await actor.ok(['rm', '--force', 'new']);
      await actor.stopServer();
      await actor.ok(['info'], upgraded);
      await until('the old one is gone', async () => !(await list()).includes(before));
      expect(await events('stale')).toBe(`stale ${before} nothing asks for it any more`);
      expect(await actor.ok(['template', 'prune', '--force'])).toMatch(/^Deleted Templates:\n/);
      await actor.stopServer();
    },
  );

  alike(
    'leaves nothing of a template in the making when the server stops or is killed',
    async () => {
      await actor.ok(['template', 'prune', '--force']);
      for (const end of ['stop', 'kill']) {
        const warming = actor.run(['template', 'warm']);
        await until('a microVM runs', () => actor.vmms().length === 1);
        if (end === 'stop') await actor.stopServer();
        else await actor.killServer();
        expect((await warming).code).not.toBe(0);
        await until('the server is gone', () => actor.serverPid() === undefined);
        // The next server ends what a killed one left.
        expect(await list()).toBe('');
        await until('no microVM is left', () => actor.boxProcesses().length === 0);
        expect(readdirSync(directory())).toEqual([]);
        expect(readdirSync(actor.runtimeDir).filter((each) => /^[0-9a-f]{12}$/.test(each))).toEqual(
          [],
        );
      }
    },
  );
});

/** As an upgrade brings one: it differs by a word for the kernel that means nothing to it. */
function anotherBootSet(root: string): string {
  const directory = join(root, 'upgraded');
  if (existsSync(directory)) return directory;
  cpSync(join(root, 'dist/boot'), directory, { recursive: true });
  const path = join(directory, 'boot.json');
  const { id: _, ...rest } = BootDocument.parse(JSON.parse(readFileSync(path, 'utf8')));
  const commandLine = [...rest.plain.commandLine, 'upgraded.once'];
  const document = { ...rest, plain: { ...rest.plain, commandLine } };
  rmSync(path);
  writeFileSync(path, JSON.stringify({ ...document, id: bootSetId(document) }));
  return directory;
}

function flip(path: string, position: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, position);
  writeSync(fd, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, position);
  closeSync(fd);
}
