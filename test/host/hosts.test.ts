import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type Installation, install } from '../e2e/installation.ts';
import { expectRefusal } from '../e2e/refusal.ts';
import { BoxUser, INSTALLATION_TAG, kvmOf, prepareForUsers, type UserName } from './box-user.ts';
import { EmulatedHost } from './emulated-host.ts';
import { HOST_MODULES, hostInitrd, ROOT_TAG, sharedRoot } from './initrd.ts';

const ROOT = join(import.meta.dirname, '../..');
const RUN = ['run', '--rm', '--network', 'none', BUSYBOX, 'echo', 'ran'];
const ADDRESS = ['run', '--rm', BUSYBOX, 'ip', '-4', 'addr', 'show', 'eth0'];
const LOW_PORT = ['run', '--rm', '--publish', '127.0.0.1:80:80', BUSYBOX, 'true'];
const COLD = { A3S_TEMPLATES: 'off' };
const GIB = 2 ** 30;

/** What `info` has to say of the jail: which features it has, and why one is missing. */
interface JailFeatures {
  readonly identity: boolean;
  readonly namespaces: boolean;
  readonly reason?: unknown;
}

interface Condition {
  readonly title: string;
  readonly user: UserName;
  /** Of a shell, as root. */
  readonly begin: string;
  readonly end: string;
  readonly jail: JailFeatures;
  /** `ran`, or the code of a refusal that tells what to do. */
  readonly run: 'ran' | 'state-unusable';
}

const JAIL_FEATURES = { identity: true, namespaces: true };
const NO_NAMESPACES = { namespaces: false, reason: expect.stringMatching(/^user namespaces: /) };

const CONDITIONS: readonly Condition[] = [
  {
    title: 'with control groups of version 1',
    user: 'root',
    begin: `umount /sys/fs/cgroup
      mount -t tmpfs cgroup /sys/fs/cgroup
      for c in cpu pids devices freezer; do
        mkdir /sys/fs/cgroup/$c; mount -t cgroup -o $c cgroup /sys/fs/cgroup/$c
      done`,
    end: `umount /sys/fs/cgroup/* /sys/fs/cgroup; mount -t cgroup2 cgroup /sys/fs/cgroup`,
    jail: JAIL_FEATURES,
    run: 'ran',
  },
  {
    title: 'without user namespaces',
    user: 'root',
    begin: 'sysctl -qw user.max_user_namespaces=0',
    end: 'sysctl -qw user.max_user_namespaces=10000',
    jail: { identity: true, ...NO_NAMESPACES },
    run: 'ran',
  },
  {
    title: 'without user namespaces',
    user: 'ordinary user',
    begin: 'sysctl -qw user.max_user_namespaces=0',
    end: 'sysctl -qw user.max_user_namespaces=10000',
    jail: { identity: false, ...NO_NAMESPACES },
    run: 'state-unusable',
  },
  {
    title: 'without user namespaces for ordinary users',
    user: 'ordinary user',
    begin: 'sysctl -qw kernel.unprivileged_userns_clone=0',
    end: 'sysctl -qw kernel.unprivileged_userns_clone=1',
    jail: { identity: false, ...NO_NAMESPACES },
    run: 'state-unusable',
  },
];

describe('a host with 4 GiB of memory whose kernel has no overlayfs', () => {
  let directory: string;
  let installation: Installation;
  let host: EmulatedHost;
  const users = new Map<UserName, BoxUser>();
  const user = (name: UserName): BoxUser => {
    const found = users.get(name);
    if (found === undefined) throw new Error(`no user ${name}`);
    return found;
  };

  beforeAll(async () => {
    installation = await install();
    directory = mkdtempSync(join(tmpdir(), 'a3s-hosts-'));
    const initrd = join(directory, 'initrd');
    const modules = HOST_MODULES.filter((name) => name !== 'overlay');
    const script = sharedRoot({ overlay: false });
    writeFileSync(initrd, await hostInitrd({ modules, script }));
    host = await EmulatedHost.start({
      kernel: join(ROOT, 'dist/boot/vmlinux'),
      initrd,
      memoryMiB: 4096,
      shares: [
        { tag: ROOT_TAG, path: '/', readonly: true },
        { tag: INSTALLATION_TAG, path: installation.root, readonly: true },
      ],
      extra: ['-netdev', 'user,id=net,restrict=on', '-device', 'virtio-net-pci,netdev=net'],
    });
    await host.ready();
    await prepareForUsers(host);
    await host.sh(
      'ip link set eth0 up; ip addr add 10.0.9.15/24 dev eth0; ip route add default via 10.0.9.2',
    );
    for (const name of ['root', 'ordinary user'] as const) {
      const user = await BoxUser.of(host, name);
      users.set(name, user);
      await user.load(installation);
    }
  });
  afterAll(async () => {
    await host?.kill();
    rmSync(directory, { recursive: true, force: true });
    installation.remove();
  });

  it('info describes a host without overlayfs, and a box runs there with KVM', async () => {
    expect(await host.sh('grep -c overlay /proc/filesystems || true')).toBe('0');
    const info = await user('root').info();
    expect(kvmOf(info)).toEqual({ name: 'kvm', available: true });
    expect(info.jail).toMatchObject(JAIL_FEATURES);
    expect(info.MemTotal / GIB).toBeGreaterThan(3.5);
    expect(info.MemTotal / GIB).toBeLessThan(4);
    expect(await user('root').ok(RUN, COLD)).toBe('ran');
  });

  for (const { title, user: name, begin, end, jail, run } of CONDITIONS)
    it(`${run === 'ran' ? 'runs' : 'refuses'} a box of ${name} ${title}`, async () => {
      const who = user(name);
      await who.stopServer();
      await host.sh(begin);
      try {
        expect((await who.info(COLD)).jail).toMatchObject(jail);
        const result = await who.run(RUN, COLD);
        if (run === 'ran') expect(result).toMatchObject({ code: 0, stdout: 'ran\n' });
        else expectRefusal(result, 125, run);
      } finally {
        await who.stopServer();
        await host.sh(end);
      }
    });

  it('connects boxes while AppArmor confines passt, and reports ports that AppArmor denies', async () => {
    const who = user('root');
    await host.sh(`mount -t securityfs securityfs /sys/kernel/security
      apparmor_parser --skip-cache --replace /etc/apparmor.d/usr.bin.passt`);
    try {
      expect(await host.sh('grep passt /sys/kernel/security/apparmor/profiles')).toBe(
        'passt (enforce)',
      );
      expect(await who.ok(ADDRESS, COLD)).toContain('10.0.2.15');
      // With such a port passt has no name of its own for the runtime directory.
      expectRefusal(await who.run(LOW_PORT, COLD), 125, 'vmm-failed');
    } finally {
      await host.sh(`apparmor_parser --remove /etc/apparmor.d/usr.bin.passt
        umount /sys/kernel/security`);
    }
  });

  it('reports that an ordinary user may not open /dev/kvm, with a remedy', async () => {
    const who = user('ordinary user');
    await who.stopServer();
    await host.sh('chmod 660 /dev/kvm');
    try {
      expect(kvmOf(await who.info(COLD))).toEqual({
        name: 'kvm',
        available: false,
        reason: '/dev/kvm may not be opened by this user (join the group kvm)',
      });
    } finally {
      await who.stopServer();
      await host.sh('chmod 666 /dev/kvm');
    }
  });

  it('refuses an image when the disk is full', async () => {
    const who = user('root');
    await who.stopServer();
    const disk = '/tmp/small';
    await host.sh(`mkdir -m 700 ${disk}; truncate -s 32M ${disk}.img; mkfs.ext4 -q ${disk}.img
      mount -o loop ${disk}.img ${disk}`);
    const env = { ...COLD, A3S_HOME: `${disk}/home` };
    try {
      expect(await who.ok(['ps', '--quiet'], env)).toBe('');
      await host.sh(`dd if=/dev/zero of=${disk}/ballast bs=1M 2>/dev/null || true`);
      const archive = readFileSync(installation.archives.busybox);
      expectRefusal(await who.run(['load', '--quiet'], env, archive), 1, 'disk-full');
      expect(await who.ok(['images', '--quiet'], env)).toBe('');
    } finally {
      await who.stopServer();
      await host.sh(`umount ${disk}; rm ${disk}.img`);
    }
  });
});
