/**
 * An emulated host that systemd runs from a disk: it can be shut down in order, lose power, and
 * boot again with all that was written.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Installation } from '../e2e/installation.ts';
import { until } from '../e2e/processes.ts';
import { slowHost } from '../e2e/time-scale.ts';
import { EmulatedHost } from './emulated-host.ts';
import { hostInitrd, ROOT_TAG } from './initrd.ts';
import { lastingQemu, TIME_SCALE } from './kvm-host.ts';

const ROOT = join(import.meta.dirname, '../..');
const DISK_BYTES = 8 * 1024 ** 3;
const INSTALLATION_TAG = 'installation';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const ORDINARY = { name: 'ordinary', uid: 64_321 };
const DEADLINE_MS = 600_000;
/** systemd gives the services of the host 90 seconds, and theirs. */
const SHUTDOWN_MS = 300_000;
const UNIT = 'a3s-box.service';

/**
 * This machine's root below an overlay whose upper layer lies on the disk. What is enabled or
 * mounted on this machine is not: the units of the administrator are the disk's own. The agent is
 * one of them, and outlasts all others at a shutdown.
 */
const SCRIPT = `
set -e
# Before any service looks at it: no udev gives it to the group kvm.
chmod 666 /dev/kvm
mkdir -p /lower /disk
mount -t virtiofs -o ro ${ROOT_TAG} /lower
mount -t ext4 /dev/vda /disk
mkdir -p /disk/upper /disk/work /disk/state /disk/home /disk/units /disk/user-units
mount -t overlay overlay -o lowerdir=/lower,upperdir=/disk/upper,workdir=/disk/work /mnt
mkdir -p /mnt/var/lib/a3s-box /mnt/home
# systemd takes a clock for wrong that is years after this file's time, and sets it back.
: > /mnt/usr/lib/clock-epoch
mount --bind /disk/state /mnt/var/lib/a3s-box
mount --bind /disk/home /mnt/home
mount --bind /disk/units /mnt/etc/systemd/system
mount --bind /disk/user-units /mnt/etc/systemd/user
: > /disk/fstab
mount --bind /disk/fstab /mnt/etc/fstab
mount --move /proc /mnt/proc; mount --move /sys /mnt/sys; mount --move /dev /mnt/dev
mount -t tmpfs -o mode=755 run /mnt/run
mkdir -p /mnt/run/host-agent; cp /agent /mnt/run/host-agent/agent
mkdir -p /disk/units/sysinit.target.wants
cat > /disk/units/host-agent.service <<UNIT
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/run/host-agent/agent
KillMode=none
UNIT
ln -sf ../host-agent.service /disk/units/sysinit.target.wants/host-agent.service
exec switch_root /mnt /usr/lib/systemd/systemd --unit=multi-user.target --show-status=no
`;

export type ServiceUser = 'root' | 'ordinary user';

export class SystemdHost implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'a3s-reboot-'));
  readonly #installation: Installation;
  #host: EmulatedHost | undefined;

  private constructor(installation: Installation) {
    this.#installation = installation;
  }

  /** A host with an empty disk, which boots for the first time. */
  static async create(installation: Installation): Promise<SystemdHost> {
    const host = new SystemdHost(installation);
    try {
      writeFileSync(host.#disk, '');
      truncateSync(host.#disk, DISK_BYTES);
      execFileSync('mkfs.ext4', ['-q', host.#disk]);
      writeFileSync(host.#initrd, await hostInitrd({ script: SCRIPT }));
      await host.boot();
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  get #disk(): string {
    return join(this.#directory, 'disk');
  }

  get #initrd(): string {
    return join(this.#directory, 'initrd');
  }

  get host(): EmulatedHost {
    if (this.#host === undefined) throw new Error('the host is off');
    return this.#host;
  }

  /** Returns when systemd has started all that belongs to multi-user.target. */
  async boot(): Promise<void> {
    this.#host = await EmulatedHost.start({
      kernel: join(ROOT, 'dist/boot/vmlinux'),
      initrd: this.#initrd,
      qemu: await lastingQemu(),
      // Without udev it would be waited for.
      append: ['systemd.getty_auto=no'],
      disks: [{ source: this.#disk }],
      shares: [
        { tag: ROOT_TAG, path: '/', readonly: true },
        { tag: INSTALLATION_TAG, path: this.#installation.root, readonly: true },
      ],
    });
    await this.host.ready();
    await until('systemd has booted', async () => {
      const { stdout } = await this.host.run(['systemctl', 'is-active', 'multi-user.target']);
      return stdout.toString().trim() === 'active';
    });
  }

  /**
   * Installs the product for root and for an ordinary user with lingering, as docs/boxes/systemd.md
   * says. Boxes take longer here, so both services get other timeouts.
   */
  async install(): Promise<void> {
    const timeouts = Object.entries(slowHost(TIME_SCALE))
      .map((entry) => `Environment=${entry.join('=')}`)
      .join('\n');
    const slow = `[Service]\n${timeouts}\nTimeoutStartSec=900\nWatchdogSec=600\n`;
    await this.host.sh(
      `mkdir -p /run/installation
      mount -t virtiofs -o ro ${INSTALLATION_TAG} /run/installation
      cp -a /run/installation/dist /usr/local/lib/a3s-box
      ln -s ../lib/a3s-box/a3s-box.cjs /usr/local/bin/a3s-box
      cd /usr/local/lib/a3s-box
      install -m 644 systemd/a3s-box.service systemd/a3s-box.socket /etc/systemd/system/
      useradd --create-home --uid ${ORDINARY.uid} --shell /bin/sh ${ORDINARY.name}
      for where in system user; do
        mkdir -p /etc/systemd/$where/${UNIT}.d
        printf '%s' "${slow}" > /etc/systemd/$where/${UNIT}.d/slow.conf
      done
      systemctl daemon-reload
      systemctl enable --now a3s-box.socket ${UNIT}
      loginctl enable-linger ${ORDINARY.name}`,
      { deadlineMs: DEADLINE_MS },
    );
    await until('the manager of the ordinary user runs', async () => {
      const { code } = await this.run('ordinary user', ['systemctl', '--user', 'show']);
      return code === 0;
    });
    const script = `install -D -m 644 -t ~/.config/systemd/user /usr/local/lib/a3s-box/systemd/user/a3s-box.service /usr/local/lib/a3s-box/systemd/user/a3s-box.socket
      systemctl --user daemon-reload
      systemctl --user enable --now a3s-box.socket ${UNIT}`;
    const { code, stderr } = await this.run('ordinary user', ['sh', '-ec', script]);
    if (code !== 0) throw new Error(`the ordinary user's service: ${stderr}`);
  }

  /** Runs a program as that user. */
  async run(
    user: ServiceUser,
    argv: readonly string[],
    stdin?: Buffer,
  ): Promise<{ readonly code: number | string; readonly stdout: string; readonly stderr: string }> {
    const root = user === 'root';
    const id = String(ORDINARY.uid);
    const identity = root ? [] : ['setpriv', '--reuid', id, '--regid', id, '--init-groups'];
    const { code, stdout, stderr } = await this.host.run([...identity, ...argv], {
      env: {
        ...{ PATH, LANG: 'C.UTF-8', HOME: root ? '/root' : `/home/${ORDINARY.name}` },
        ...(root ? {} : { XDG_RUNTIME_DIR: `/run/user/${id}` }),
      },
      ...(stdin === undefined ? {} : { stdin }),
      cwd: '/',
      deadlineMs: DEADLINE_MS,
    });
    return { code, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  /** A command of `a3s-box` that must succeed; returns its output without the last newline. */
  async ok(user: ServiceUser, args: readonly string[], stdin?: Buffer): Promise<string> {
    const { code, stdout, stderr } = await this.run(user, ['a3s-box', ...args], stdin);
    if (code === 0) return stdout.trimEnd();
    throw new Error(`a3s-box ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  }

  /** Shuts it down in order, and boots it again. */
  async reboot(): Promise<void> {
    await this.host.powerOff(['systemctl', 'poweroff'], SHUTDOWN_MS);
    await this.boot();
  }

  /** Cuts its power, and boots it again. */
  async cutPower(): Promise<void> {
    await this.host.kill();
    await this.boot();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host?.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
