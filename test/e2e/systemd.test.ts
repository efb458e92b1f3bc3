import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { itWhere } from './it-where.ts';
import { until } from './processes.ts';
import { SOAK } from './soak.ts';
import { type ServiceUser, SystemdHost } from './support/systemd-host.ts';

const SERVICE = 'a3s-box.service';
const FOREVER = ['--network', 'none', BUSYBOX, 'sleep', '100000'];

// Another process 1, and its mounts, are root's to make.
describe.runIf(process.getuid?.() === 0)('systemd', () => {
  let installation: Installation;
  let host: SystemdHost;

  beforeAll(async () => {
    installation = await install();
    host = new SystemdHost(installation);
    await host.boot();
  });
  afterAll(async () => {
    await host.remove();
    installation.remove();
  });

  describe.each<ServiceUser>(['root', 'ordinary user'])('a server of %s', (user) => {
    /** Of the first user, and in a soak of both. */
    const alike = itWhere(user === 'root' || SOAK);
    const mainPid = () => host.property(user, SERVICE, 'MainPID');
    const restarts = async () => Number(await host.property(user, SERVICE, 'NRestarts'));
    const names = async () =>
      (await host.ok(user, ['ps', '--all', '--format', '{{.Names}}'])).split('\n');
    const states = async () =>
      (await host.ok(user, ['ps', '--all', '--format', '{{.Names}} {{.State}}']))
        .split('\n')
        .sort();

    beforeAll(async () => {
      await startManager();
    });

    afterAll(async () => {
      await host.ok(user, ['rm', '--force', ...(await names())]);
      await until('no microVM is left', async () => (await host.vmms()).length === 0);
      await host.manager(user, 'stop', 'a3s-box.socket', SERVICE);
    });

    const override = async (name: string, text: string) => {
      const where = user === 'root' ? 'system' : 'user';
      await host.write(`/etc/systemd/${where}/${SERVICE}.d/${name}.conf`, `[Service]\n${text}\n`);
    };

    /** Of the user; root's runs already. */
    async function startManager(): Promise<void> {
      // Every VM is a box's.
      await override('templates', 'Environment=A3S_TEMPLATES=off');
      const { code } = await (user === 'root'
        ? host.systemctl('daemon-reload')
        : host.systemctl('start', 'user-manager'));
      expect(code).toBe(0);
    }

    it('systemd starts the server for the first command that connects', async () => {
      expect(await host.manager(user, 'enable', '--now', 'a3s-box.socket')).toMatchObject({
        code: 0,
      });
      expect(await host.property(user, SERVICE, 'ActiveState')).toBe('inactive');
      await host.ok(user, ['load', '--quiet', '--input', installation.archives.busybox]);
      expect(await host.property(user, SERVICE, 'ActiveState')).toBe('active');
      expect(await host.property(user, SERVICE, 'StatusText')).toMatch(/^Serving 0 boxes$/);
      // Jails have the features that they have without a service manager.
      const info = await host.ok(user, ['info', '--format', '{{json .}}']);
      expect(JSON.parse(info)).toMatchObject({
        Socket:
          user === 'root' ? '/run/a3s-box/server.sock' : '/run/user/64321/a3s-box/server.sock',
        jail: { namespaces: true },
      });
    });

    alike('refuses a second server next to that of systemd', async () => {
      const second = await host.box(user, ['serve']);
      expect(second).toMatchObject({ code: 125 });
      expect(second.stderr).toContain('(server-running)');
    });

    it('systemd restarts a killed server, and its box continues', async () => {
      await host.ok(user, ['run', '-d', '--name', 'kept', '--restart', 'always', ...FOREVER]);
      const started = await host.ok(user, ['inspect', '--format', '{{.State.StartedAt}}', 'kept']);
      const vmms = await host.vmms();
      expect(vmms).not.toEqual([]);
      await host.kill(await mainPid(), 'KILL');
      await until('systemd has started another', async () => (await restarts()) === 1);
      expect(await host.ok(user, ['exec', 'kept', 'echo', 'here'])).toBe('here');
      expect(await host.ok(user, ['inspect', '--format', '{{.State.StartedAt}}', 'kept'])).toBe(
        started,
      );
      expect(await host.vmms()).toEqual(vmms);
    });

    alike('systemd ends a server that no longer answers the watchdog', async () => {
      await override('watchdog', 'WatchdogSec=10');
      await host.manager(user, 'daemon-reload');
      await host.manager(user, 'restart', SERVICE);
      const pid = await mainPid();
      await host.kill(pid, 'STOP');
      await until('systemd has started another', async () => !['0', pid].includes(await mainPid()));
      expect(await host.ok(user, ['exec', 'kept', 'echo', 'here'])).toBe('here');
    });

    it('leaves boxes running when the service is stopped', async () => {
      const vmms = await host.vmms();
      await host.manager(user, 'stop', SERVICE);
      expect(await host.property(user, SERVICE, 'Result')).toBe('success');
      expect(await host.vmms()).toEqual(vmms);
      // The socket stays, and starts it again.
      expect(await host.ok(user, ['exec', 'kept', 'echo', 'here'])).toBe('here');
    });

    alike('restarts boxes by their policy after a reboot', async () => {
      expect(await host.manager(user, 'enable', SERVICE)).toMatchObject({ code: 0 });
      await host.ok(user, ['run', '-d', '--name', 'once', ...FOREVER]);
      await host.ok(user, [
        'run',
        '-d',
        '--name',
        'stopped',
        '--restart',
        'unless-stopped',
        ...FOREVER,
      ]);
      await host.ok(user, ['stop', '-t', '0', 'stopped']);
      const before = await host.ok(user, ['inspect', '--format', '{{.State.StartedAt}}', 'kept']);
      await host.crash();
      await host.boot();
      await startManager();
      // What `enable` wrote lay in what a reboot takes along here.
      await host.manager(user, 'start', 'a3s-box.socket', SERVICE);
      await until('the box runs', async () => (await states()).includes('kept running'));
      expect(await states()).toEqual(['kept running', 'once exited', 'stopped exited']);
      expect(await host.ok(user, ['inspect', '--format', '{{.State.StartedAt}}', 'kept'])).not.toBe(
        before,
      );
      expect(await host.ok(user, ['exec', 'kept', 'echo', 'here'])).toBe('here');
    });
  });
});
