import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';

/** Nobody that the tests play otherwise. */
const STRANGER = '64399';

/**
 * Tries to read, write, list and connect to each path that it is given; names each try that came
 * off.
 */
const PROBE = `
const fs = require('fs'), net = require('net');
const came = [];
const attempt = (what, path, act) => { try { act(); came.push(what + ' ' + path); } catch {} };
const paths = JSON.parse(fs.readFileSync(0, 'utf8'));
const connects = [];
for (const path of paths) {
  attempt('list', path, () => fs.readdirSync(path));
  attempt('read', path, () => fs.closeSync(fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)));
  attempt('write', path, () => fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK)));
  attempt('make in', path, () => fs.writeFileSync(path + '/made', ''));
  attempt('rename', path, () => fs.renameSync(path, path + '.moved'));
  attempt('remove', path, () => fs.rmSync(path));
  attempt('chmod', path, () => fs.chmodSync(path, 0o777));
  attempt('link', path, () => fs.linkSync(path, '/tmp/a3s-linked-' + process.pid));
  connects.push(new Promise((resolve) => {
    const socket = net.connect(path);
    socket.on('connect', () => { came.push('connect ' + path); socket.destroy(); resolve(); });
    socket.on('error', resolve);
  }));
}
Promise.all(connects).then(() => console.log(JSON.stringify({ tried: paths.length, came })));
`;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.runIf(process.getuid?.() === 0).each(ACTORS)(
  'another user of the host, and boxes of %s',
  (name) => {
    let actor: Actor;
    beforeAll(async () => {
      actor = new Actor(name, installation);
      await actor.prepare();
      await actor.ok([
        ...['run', '-d', '--name', 'secret', '--network', 'none', BUSYBOX],
        ...['sh', '-c', 'echo private; sleep 1000'],
      ]);
    });
    afterAll(() => actor.leave());

    /** Whatever is below a directory, itself included; nothing that a link names. */
    function below(path: string): string[] {
      if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
      return [path, ...entries(path).flatMap((each) => below(join(path, each)))];
    }

    /** None of a directory that has gone since its own was read: the server works meanwhile. */
    function entries(path: string): string[] {
      try {
        return readdirSync(path);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
        throw error;
      }
    }

    it('another user of the host cannot read any file of boxes or connect to their sockets', async () => {
      // What is around them in this test shall not be what protects them.
      chmodSync(actor.directory, 0o755);
      const paths = [actor.home, actor.runtimeDir, actor.socket].flatMap(below);
      for (const part of ['server.sock', 'state.db', 'output.log', 'server.log']) {
        expect(paths.some((path) => path.endsWith(part))).toBe(true);
      }
      const id = ['--reuid', STRANGER, '--regid', STRANGER, '--clear-groups'];
      const probed = spawnSync('setpriv', [...id, process.execPath, '-e', PROBE], {
        input: JSON.stringify(paths),
        encoding: 'utf8',
        cwd: '/',
        env: { PATH: '/usr/bin:/bin' },
      });
      const { tried, came } = JSON.parse(probed.stdout) as { tried: number; came: string[] };
      expect(tried).toBe(paths.length);
      expect(came).toEqual([]);
      await expect.poll(() => actor.ok(['logs', 'secret'])).toBe('private');
    });

    it('another user of the host can neither inspect nor kill a microVM', async () => {
      // A template may be in the making beside it.
      const pids = actor.vmms().map(({ pid }) => pid);
      expect(pids.length).toBeGreaterThan(0);
      const id = ['--reuid', STRANGER, '--regid', STRANGER, '--clear-groups'];
      const script = `for p in ${pids.join(' ')}; do kill -9 $p && echo killed; for f in mem environ maps; do head -c 1 /proc/$p/$f > /dev/null && echo read $f; done; ls /proc/$p/fd /proc/$p/root && echo listed; done; true`;
      const { stdout } = spawnSync('setpriv', [...id, 'sh', '-c', script], { encoding: 'utf8' });
      expect(stdout).toBe('');
      expect(await actor.ok(['ps', '--format', '{{.Names}} {{.State}}'])).toBe('secret running');
    });
  },
);
