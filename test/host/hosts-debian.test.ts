import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type Installation, install } from '../e2e/installation.ts';
import { BoxUser, INSTALLATION_TAG, kvmOf, prepareForUsers } from './box-user.ts';
import { kernelOf, QEMU_PLACE, qemuOf, type Suite } from './debian.ts';
import { EmulatedHost } from './emulated-host.ts';
import { HOST_MODULES, hostInitrd, ROOT_TAG, sharedRoot } from './initrd.ts';

const RUN = ['run', '--rm', '--network', 'none', BUSYBOX, 'echo', 'ran'];
const QEMU_TAG = 'qemu';
/** For four boots by emulation on an emulated host, where there is no KVM. */
const LONG_MS = 2_400_000;

interface Debian {
  readonly suite: Suite;
  readonly kernel: RegExp;
  readonly qemu: RegExp;
  /** What the kernel has as modules, and others have built in. */
  readonly modules?: readonly string[];
  /** Why this QEMU does not use KVM, as `info` says; boxes are emulated then. */
  readonly withoutKvm?: RegExp;
}

const DEBIANS: readonly Debian[] = [
  {
    suite: 'bookworm',
    kernel: /^6\.1\./,
    qemu: /^7\.2\./,
    modules: ['virtio_pci', 'virtio_console', 'virtiofs'],
    // Older than 8.1, which takes an opened /dev/kvm.
    withoutKvm: /device/,
  },
  { suite: 'bookworm-backports', kernel: /\+deb12-/, qemu: /^10\.0\..*~bpo12/ },
  { suite: 'trixie-backports', kernel: /^7\./, qemu: /^11\./ },
];

describe.each(DEBIANS)(
  'a host with the kernel and the QEMU of $suite',
  ({ suite, kernel, qemu, modules = [], withoutKvm }) => {
    let directory: string;
    let installation: Installation;
    let host: EmulatedHost;
    let user: BoxUser;

    beforeAll(async () => {
      installation = await install();
      directory = mkdtempSync(join(tmpdir(), 'a3s-debian-'));
      const tree = await kernelOf(suite, join(directory, 'kernel'));
      const image = join(directory, 'bzImage');
      writeFileSync(image, tree.image);
      const initrd = join(directory, 'initrd');
      const wanted = [...modules, ...HOST_MODULES];
      writeFileSync(
        initrd,
        await hostInitrd({ modules: wanted, script: sharedRoot(), kernel: tree }),
      );
      host = await EmulatedHost.start({
        kernel: image,
        initrd,
        shares: [
          { tag: ROOT_TAG, path: '/', readonly: true },
          { tag: INSTALLATION_TAG, path: installation.root, readonly: true },
          { tag: QEMU_TAG, path: await qemuOf(suite), readonly: true },
        ],
      });
      await host.ready();
      await host.sh(`mount -t virtiofs ${QEMU_TAG} ${QEMU_PLACE}`);
      await prepareForUsers(host);
      user = await BoxUser.of(host, 'root');
      await user.load(installation);
    });
    afterAll(async () => {
      await host?.kill();
      rmSync(directory, { recursive: true, force: true });
      installation.remove();
    });

    it('info reports kernel and QEMU of the suite, and whether it uses KVM', async () => {
      const info = await user.info();
      expect(info.KernelVersion).toMatch(kernel);
      expect(info.engines.find(({ name }) => name === 'qemu')?.version).toMatch(qemu);
      expect(info.jail).toMatchObject({ identity: true, namespaces: true });
      expect(kvmOf(info)).toEqual(
        withoutKvm === undefined
          ? { name: 'kvm', available: true }
          : { name: 'kvm', available: false, reason: expect.stringMatching(withoutKvm) },
      );
    });

    it('runs a booted box, and one from a template', { timeout: LONG_MS }, async () => {
      expect(await user.ok(RUN, { A3S_TEMPLATES: 'off' })).toBe('ran');
      await user.stopServer();
      await user.ok(['template', 'warm']);
      expect(await user.ok(RUN)).toBe('ran');
      expect(await user.ok(['template', 'ls', '--format', '{{.State}}'])).not.toBe('');
    });
  },
);
