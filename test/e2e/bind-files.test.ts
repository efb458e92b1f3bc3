/**
 * What files of a bind mount do beside being read and written: mappings, locks, direct input and
 * output, extended attributes and owners, as docs/boxes/volumes.md defines them.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { alikeFor } from './alike.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';

const PROBE = 'file-probe';
const MOUNTS = 20;

let installation: Installation;
let probe: string;
beforeAll(async () => {
  installation = await install();
  probe = join(installation.root, PROBE);
  const source = join(import.meta.dirname, `${PROBE}.c`);
  execFileSync('gcc', ['-static', '-O2', '-o', probe, source]);
});
afterAll(() => installation.remove());

describe.each(ACTORS)('files of a bind mount of %s', (name) => {
  let actor: Actor;
  /** For what no user of the host makes a difference to. */
  const alike = alikeFor(name);
  let shared: string;
  const at = (file: string): string => join(shared, file);
  const inBox = (box: string, ...words: string[]) => actor.run(['exec', box, ...words]);
  const says = async (box: string, ...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await inBox(box, '/probe', ...words);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.trimEnd();
  };
  /** Two boxes have the directory; the first one has as many mounts as are promised. */
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    shared = join(actor.directory, 'shared');
    const others = Array.from({ length: MOUNTS - 2 }, (_, index) =>
      join(actor.directory, `other-${index}`),
    );
    const [mkdir, ...words] = actor.program('mkdir', [shared, ...others]);
    expect(spawnSync(mkdir, words).status).toBe(0);
    const common = ['-v', `${shared}:/data`, '-v', `${probe}:/probe:ro`];
    const more = others.flatMap((path, index) => ['-v', `${path}:/mounts/${index}`]);
    for (const [box, mounts] of [
      ['files', [...common, ...more]],
      ['beside', common],
    ] as const) {
      const run = ['run', '-d', '--name', box, '--network', 'none', ...mounts];
      await actor.ok([...run, BUSYBOX, 'sleep', '1000']);
    }
  });
  afterAll(() => actor.leave());

  alike(`gives one box ${MOUNTS} bind mounts, each with its own files`, async () => {
    const script = `for n in $(seq 0 ${MOUNTS - 3}); do echo $n > /mounts/$n/name || exit 1; done
      grep -c virtiofs /proc/mounts`;
    expect((await inBox('files', 'sh', '-c', script)).stdout).toBe(`${MOUNTS}\n`);
    const names = Array.from({ length: MOUNTS - 2 }, (_, index) =>
      readFileSync(join(actor.directory, `other-${index}`, 'name'), 'utf8').trimEnd(),
    );
    expect(names).toEqual(names.map((_, index) => String(index)));
  });

  alike(
    'keeps one processor of the host busy at most with requests, and serves others meanwhile',
    async () => {
      const id = await actor.ok(['inspect', '--format', '{{.Id}}', 'files']);
      const servers = fileServers(join(actor.runtimeDir, id.slice(0, 12)));
      expect(servers).toHaveLength(MOUNTS);
      const allowed = new Set(servers.map((pid) => statusOf(pid, 'Cpus_allowed_list')));
      expect([...allowed]).toEqual([expect.stringMatching(/^\d+$/)]);
      await actor.ok([
        'exec',
        'files',
        'sh',
        '-c',
        'for n in 0 1 2 3 4 5 6 7; do echo > /mounts/$n/name; done',
      ]);
      const busy = (): number => servers.reduce((sum, pid) => sum + ticksOf(pid), 0);
      const before = busy();
      const [program, ...args] = actor.command([
        'exec',
        '-i',
        'files',
        '/probe',
        'storm',
        '/mounts',
      ]);
      const storm = spawn(program, args, {
        env: { ...actor.env },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      try {
        await once(storm.stdout, 'data');
        await expect.poll(busy).toBeGreaterThan(before + 20);
        expect(await actor.ok(['ps', '--format', '{{.Names}}'])).toContain('files');
        await actor.ok(['exec', 'beside', 'sh', '-c', 'echo served > /data/stormed']);
        expect(readFileSync(at('stormed'), 'utf8')).toBe('served\n');
        expect((await inBox('files', 'cat', '/data/stormed')).stdout).toBe('served\n');
        expect(storm.exitCode).toBeNull();
      } finally {
        storm.stdin.end();
        await once(storm, 'exit');
      }
    },
  );

  it.runIf(name === 'root')(
    'makes file systems below a read-only mount read-only as well',
    async () => {
      const source = join(actor.directory, 'tree');
      const nested = join(source, 'nested');
      mkdirSync(nested, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', 'none', nested]);
      try {
        writeFileSync(join(nested, 'file'), 'inner\n');
        const forced = `type=bind,src=${source},dst=/rro,readonly,bind-recursive=readonly,bind-propagation=rprivate`;
        const script = 'for p in /ro /rro; do cat $p/nested/file; echo > $p/nested/new; done';
        const run = [
          'run',
          '--rm',
          '--network',
          'none',
          '-v',
          `${source}:/ro:ro`,
          '--mount',
          forced,
        ];
        const { stdout, stderr } = await actor.run([...run, BUSYBOX, 'sh', '-c', script]);
        expect({ stdout, stderr }).toMatchObject({ stdout: 'inner\ninner\n' });
        expect(stderr.match(/Read-only file system/g)).toHaveLength(2);
        expect(existsSync(join(nested, 'new'))).toBe(false);
      } finally {
        execFileSync('umount', [nested]);
      }
    },
  );

  alike('writes through a shared mapping what the host and another box read', async () => {
    await actor.ok(['exec', 'files', 'sh', '-c', 'echo unmapped > /data/mapped']);
    expect(await says('files', 'map', '/data/mapped', 'written')).toBe('writtend');
    expect(readFileSync(at('mapped'), 'utf8')).toBe('writtend\n');
    expect((await inBox('beside', 'cat', '/data/mapped')).stdout).toBe('writtend\n');
    writeFileSync(at('mapped'), 'by the host, and longer\n');
    expect(await says('beside', 'map', '/data/mapped')).toBe('by the host, and longer');
  });

  alike.each(['flock', 'posix'])(
    'excludes processes of the same box alone by a %s lock',
    async (kind) => {
      const lock = (program: string, ...args: string[]): ChildProcess =>
        spawn(program, args, { env: { ...actor.env }, stdio: ['pipe', 'pipe', 'inherit'] });
      const [program, ...args] = actor.command([
        'exec',
        '-i',
        'files',
        '/probe',
        kind,
        '/data/lock',
      ]);
      const holder = lock(program, ...args);
      try {
        const [said] = (await once(holder.stdout ?? holder, 'data')) as [Buffer];
        expect(said.toString()).toBe('locked\n');
        expect(await says('files', kind, '/data/lock')).toBe('busy');
        // The file server has no locks: neither another box nor the host sees them.
        expect(await says('beside', kind, '/data/lock')).toBe('locked');
        const [own, ...words] = actor.program(probe, [kind, at('lock')]);
        expect(spawnSync(own, words, { input: '' }).stdout.toString()).toBe('locked\n');
      } finally {
        holder.stdin?.end();
        await once(holder, 'exit');
      }
      expect(await says('files', kind, '/data/lock')).toBe('locked');
    },
  );

  alike('takes O_DIRECT, and has the block on the host', async () => {
    expect(await says('files', 'direct', '/data/direct', 'x')).toBe('written');
    expect(readFileSync(at('direct'), 'utf8')).toBe('x'.repeat(4096));
  });

  alike.each([
    ['user.mine', 'EOPNOTSUPP'],
    ['trusted.mine', 'EPERM'],
    ['security.capability', 'EOPNOTSUPP'],
    ['security.selinux', 'EPERM'],
    ['system.posix_acl_access', 'EOPNOTSUPP'],
  ])('refuses the extended attribute %s with %s', async (attribute, error) => {
    await actor.ok(['exec', 'files', 'touch', '/data/plain']);
    expect(await says('files', 'xattr', '/data/plain', attribute)).toBe(error);
  });

  it('gives files the owners of the box for root, and of the user for an ordinary user', async () => {
    const script = 'touch /data/owned; chown 1000:100 /data/owned; stat -c %u:%g /data/owned';
    const { stdout } = await inBox('files', 'sh', '-c', script);
    const { uid, gid } = statSync(at('owned'));
    if (name === 'root') {
      expect([stdout, uid, gid]).toEqual(['1000:100\n', 1000, 100]);
    } else {
      expect([stdout, uid, gid]).toEqual(['0:0\n', statSync(shared).uid, statSync(shared).gid]);
    }
  });
});

/** The processes of the file servers of a microVM. */
function fileServers(runtimeDir: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    const [program = '', socket = ''] = procFile(pid, 'cmdline').split('\0');
    return program.endsWith('/virtiofsd') && socket.startsWith(`--socket-path=${runtimeDir}/fs`);
  });
}

function statusOf(pid: string, field: string): string | undefined {
  return new RegExp(`^${field}:\\t(.*)$`, 'm').exec(procFile(pid, 'status'))?.[1];
}

/** How long it has run on a processor, in clock ticks. */
function ticksOf(pid: string): number {
  const fields = procFile(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Nothing where the process is gone. */
function procFile(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '';
  }
}
