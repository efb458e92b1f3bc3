import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { ACTORS, Actor, type ActorName, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { SOAK } from './soak.ts';

const LAYERED = 'test/layered:1';
/** Two more than a template has slots for. */
const LAYERS = 9;
const CLONES = SOAK ? 50 : 6;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** What a program can see of where it runs, apart from what differs between any two boxes. */
const FACTS = `
exec 2>&1
grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)' /proc/self/status | tr '\\t' ' '
tr '\\0' ' ' < /proc/1/cmdline | head -c 20; echo
cat /proc/self/cgroup; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max
awk '{ print $2, $3, $4 }' /proc/mounts | sed -E 's/(lowerdir|upperdir|workdir)=[^, ]*/\\1/g; s/size=[0-9]+k/size/'
ls -l /dev /dev/pts | awk '{ print $1, $3, $4, $NF }'
for f in /proc/kcore /proc/keys /sys/firmware; do ls -d $f; head -c 4 $f | wc -c; done
(echo 0 > /proc/sys/kernel/hostname) && echo writable
mount -t tmpfs none /mnt; unshare -U true; hostname other
ls /sys/class/net /sys/class/virtio-ports
ip addr show | grep -v -E 'link/ether|valid_lft' | sed 's/NO-CARRIER,//'; ip route; cat /etc/resolv.conf
sed 's/[0-9a-f]\\{12\\}/HOST/' /etc/hosts
nproc; ulimit -n; umask; id; pwd; env | grep -v HOSTNAME | sort; uname -r; df -P / | tail -1 | awk '{ print $2, $6 }'
ls -ld / /tmp /etc/passwd | awk '{ print $1, $3, $4, $NF }'
echo end
`;

async function server(name: ActorName, templates: 'on' | 'off'): Promise<Actor> {
  const actor = new Actor(name, installation);
  // Its server keeps what the first command has in its environment.
  await actor.prepare({ A3S_TEMPLATES: templates });
  return actor;
}

async function startOf(actor: Actor, box: string): Promise<string> {
  const [found] = JSON.parse(await actor.ok(['inspect', box])) as [
    { Machine: { Start: string } | null },
  ];
  return found.Machine?.Start ?? 'none';
}

/** Flags that make another VM, or another process in it. */
const DIFFERENCES: readonly (readonly [string, readonly string[]])[] = [
  ['with half its memory', ['-m', '128m']],
  ['with two processors', ['--cpus', '2']],
  ['as somebody else, elsewhere', ['-u', 'nobody', '-w', '/tmp']],
];
const ALL_DIFFERENCES: (typeof DIFFERENCES)[number] = [
  'with all of these differences at once',
  DIFFERENCES.flatMap(([, flags]) => flags),
];
/** Without a network there is less to compare, so these have a run of their own. */
const ALONE: typeof DIFFERENCES = [
  ['without any difference', []],
  ['without a network', ['--network', 'none']],
];

describe.each(ANY_ACTOR)('a box of %s that starts from a template', (name) => {
  let warm: Actor;
  let cold: Actor;
  beforeAll(async () => {
    warm = await server(name, 'on');
    cold = await server(name, 'off');
    await warm.ok(['template', 'warm', '--cpus', '2'], { deadlineMs: 180_000 });
  });
  afterAll(async () => {
    await warm.leave();
    await cold.leave();
    expect([...warm.remains(), ...cold.remains()]).toEqual([]);
  });

  /** Runs the same on both, and gives what the warm one did. */
  async function both(args: readonly string[]) {
    const [mine, other] = await Promise.all([warm.run(args), cold.run(args)]);
    expect(mine).toMatchObject({ code: other.code, stdout: other.stdout });
    return mine;
  }

  it('shows that a box started from a template, or that it booted', async () => {
    for (const [actor, start] of [
      [warm, 'template'],
      [cold, 'cold'],
    ] as const) {
      await actor.ok([
        'run',
        '-d',
        '--name',
        'told',
        '--network',
        'none',
        BUSYBOX,
        'sleep',
        '1000',
      ]);
      expect(await startOf(actor, 'told')).toBe(start);
      await actor.ok(['rm', '-f', 'told']);
    }
  });

  it.each(SOAK ? [...ALONE, ...DIFFERENCES, ALL_DIFFERENCES] : [ALL_DIFFERENCES])(
    'a box from a template sees what a booted one sees, %s',
    async (_, flags) => {
      const { stdout } = await both(['run', '--rm', ...flags, BUSYBOX, 'sh', '-c', FACTS]);
      expect(stdout).toMatch(/\nend\n$/);
    },
  );

  it('a box from a template ends like a booted one', async () => {
    const run = (...args: string[]) => both(['run', '--rm', '--network', 'none', ...args]);
    expect(await run(BUSYBOX, 'sh', '-c', 'echo out; echo err >&2; exit 7')).toMatchObject({
      ...{ code: 7, stdout: 'out\n', stderr: 'err\n' },
    });
    expect(await run('-h', 'named', BUSYBOX, 'hostname')).toMatchObject({ stdout: 'named\n' });
  });

  it.each([
    ['900m', 900 * 2 ** 20],
    ['8g', 8 * 2 ** 30],
  ])('a box from a template has the memory that it requests, such as %s', async (asked, bytes) => {
    const script = `awk '/MemTotal/ { print $2 }' /proc/meminfo; cat /sys/fs/cgroup/memory.max`;
    const flags = ['run', '--rm', '--network', 'none', '-m', asked];
    const { stdout } = await warm.run([...flags, BUSYBOX, 'sh', '-c', script]);
    const [total = 0, limit] = stdout.split('\n').map(Number);
    expect(limit).toBe(bytes);
    // What it has more than the template was attached.
    expect(total * 1024).toBeGreaterThan(bytes);
  });

  it('a box from a template has as little memory as the minimum allows', async () => {
    const flags = ['run', '--rm', '--network', 'none', '-m', '6m'];
    const { stdout } = await warm.run([...flags, BUSYBOX, 'cat', '/sys/fs/cgroup/memory.max']);
    expect(stdout).toBe(`${6 * 2 ** 20}\n`);
  });

  it('a box from a template has a terminal', async () => {
    const flags = ['run', '--rm', '-t', '--network', 'none', '-m', '900m'];
    const { stdout } = await warm.run([...flags, BUSYBOX, 'sh', '-c', 'tty; test -t 0 && echo in']);
    expect(stdout).toBe('/dev/pts/0\r\nin\r\n');
  });

  it('a box from a template keeps written files across restarts', async () => {
    await warm.ok([
      ...['run', '--name', 'kept', '--network', 'none', BUSYBOX],
      ...['sh', '-c', 'cat /file; echo $(hostname) >> /file'],
    ]);
    for (const lines of [1, 2]) {
      const { stdout } = await warm.run(['start', '--attach', 'kept']);
      expect(stdout.split('\n').filter((line) => line !== '')).toHaveLength(lines);
      expect(await startOf(warm, 'kept')).toBe('template');
    }
    // Another box has none of it.
    const other = ['run', '--rm', '--network', 'none', BUSYBOX, 'ls', '/file'];
    expect((await both(other)).code).not.toBe(0);
    await warm.ok(['rm', 'kept']);
  });

  it('starts a box with more layers than slots from a template', async () => {
    const image = busyboxImage(LAYERED);
    const more = Array.from({ length: LAYERS - image.layers.length }, (_, n) => [
      { path: `layer-${n}`, mode: 0o644, data: Buffer.from(`${n}\n`) },
    ]);
    const archive = join(warm.directory, 'layered.tar');
    const layers = [...image.layers, ...more];
    writeFileSync(archive, dockerArchive([buildImage({ ...image, layers })]), { mode: 0o644 });
    for (const actor of [warm, cold]) await actor.ok(['load', '-q', '-i', archive]);
    const run = [
      'run',
      '--network',
      'none',
      '--name',
      'layered',
      LAYERED,
      'sh',
      '-c',
      'cat /layer-*',
    ];
    expect((await both(run)).stdout).toBe(more.map((_, n) => `${n}\n`).join(''));
    expect(await startOf(warm, 'layered')).toBe('template');
    for (const actor of [warm, cold]) await actor.ok(['rm', 'layered']);
  });

  it.each(['256m', '900m'])(
    'a box from a template shares directories of the host, with %s',
    async (memory) => {
      const shared = join(warm.directory, `shared-${memory}`);
      mkdirSync(shared);
      chmodSync(shared, 0o777);
      writeFileSync(join(shared, 'greeting'), 'hello\n', { mode: 0o644 });
      const { stdout } = await warm.run([
        ...['run', '--name', 'sharing', '--network', 'none', '-m', memory],
        ...['-v', `${shared}:/shared`, '-v', `${shared}:/ro:ro`],
        ...[
          BUSYBOX,
          'sh',
          '-c',
          'cat /ro/greeting; echo x > /ro/new || echo refused; echo y > /shared/new',
        ],
      ]);
      expect(stdout).toBe('hello\nrefused\n');
      expect(readFileSync(join(shared, 'new'), 'utf8')).toBe('y\n');
      expect(await startOf(warm, 'sharing')).toBe('template');
      await warm.ok(['rm', 'sharing']);
    },
  );

  it('a box from a template publishes its ports', async () => {
    const port = await freePort();
    await warm.ok([
      ...['run', '-d', '--name', 'web', '-p', `127.0.0.1:${port}:8080`, BUSYBOX],
      ...['sh', '-c', 'echo hello > /tmp/greeting; exec httpd -f -p 8080 -h /tmp'],
    ]);
    expect(await startOf(warm, 'web')).toBe('template');
    await until('the port answers', async () => (await get(port)).endsWith('hello\n'));
    await warm.ok(['rm', '-f', 'web']);
  });

  it('a box that starts from a template is complete or undone when the server is killed', async () => {
    for (const [round, pause] of (SOAK ? [0, 60, 150, 300] : [0, 150]).entries()) {
      const box = `cut-${round}`;
      await warm.ok(['create', '--name', box, '--network', 'none', BUSYBOX, 'sleep', '1000']);
      const starting = warm.start(['start', box]);
      const ended = new Promise((resolve) => starting.once('close', resolve));
      await until(
        'its start is under way',
        () => warm.vmms().length > 0 || starting.exitCode !== null,
      );
      await new Promise((resolve) => setTimeout(resolve, pause));
      const server = warm.serverPid();
      if (server !== undefined) process.kill(server, 'SIGKILL');
      await ended;
      await until('its start has been reconciled', async () => {
        const [found] = JSON.parse(await warm.ok(['inspect', box])) as [
          { State: { Status: string } },
        ];
        // One that is being reconciled counts as created, and has its VM still.
        const vms = found.State.Status === 'running' ? 1 : 0;
        return warm.vmms().length === vms;
      });
      await warm.ok(['start', box]);
      expect(await warm.ok(['exec', box, 'echo', 'in'])).toBe('in');
      await warm.ok(['rm', '-f', box]);
    }
  });
});

describe('copies of one template', () => {
  const IDENTITY = `
    for f in /dev/urandom /dev/random; do head -c 32 $f | od -An -tx1 | tr -d ' \\n'; echo; done
    cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id /sys/class/dmi/id/product_uuid
    hostname
    cat /sys/class/net/eth0/address 2> /dev/null || cat /proc/sys/kernel/random/uuid
    ls /mark 2> /dev/null && echo marked
    touch /mark
    date +%s
  `;
  const FIELDS = 7;

  let actor: Actor;
  beforeAll(async () => {
    actor = await server(ACTORS[0] ?? 'ordinary user', 'on');
  });
  afterAll(() => actor.leave());

  it(`gives ${CLONES} boxes started at once from one template unique identities`, async () => {
    const before = Math.floor(Date.now() / 1000);
    const started = Array.from({ length: CLONES }, (_, n) =>
      actor.run(
        // The network takes a helper each; a few are enough to tell addresses apart.
        [
          'run',
          '--name',
          `c${n}`,
          ...(n < 4 ? [] : ['--network', 'none']),
          BUSYBOX,
          'sh',
          '-c',
          IDENTITY,
        ],
        { deadlineMs: 280_000 },
      ),
    );
    const results = await Promise.all(started);
    const after = Math.ceil(Date.now() / 1000);
    expect(results.map(({ code }) => code)).toEqual(results.map(() => 0));
    const starts = await Promise.all(results.map((_, n) => startOf(actor, `c${n}`)));
    expect(new Set(starts)).toEqual(new Set(['template']));
    const values = results.map(({ stdout }) => stdout.trim().split('\n'));
    for (const each of values) {
      expect(each).toHaveLength(FIELDS + 1);
      const clock = Number(each.at(-1));
      expect(clock).toBeGreaterThanOrEqual(before - 1);
      expect(clock).toBeLessThanOrEqual(after + 1);
    }
    const drawn = values.flatMap((each) => each.slice(0, FIELDS));
    expect(new Set(drawn).size).toBe(CLONES * FIELDS);
  });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** The whole answer to a request for the greeting; empty where nobody answers. */
function get(port: number): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /greeting HTTP/1.0\r\n\r\n'));
    socket.setTimeout(5000, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}
