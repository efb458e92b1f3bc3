import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { ACTORS, Actor } from './actor.ts';
import { alikeFor } from './alike.ts';
import { BUSYBOX, DISTROLESS, type Installation, install } from './installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

const run = (...args: string[]) => ['run', '--rm', '--network', 'none', ...args];

describe.each(ACTORS)('a box run by %s', (name) => {
  let actor: Actor;
  /** For what no user of the host makes a difference to. */
  const alike = alikeFor(name);
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  alike('run separates stdout and stderr, and exits with the program’s status', async () => {
    const result = await actor.run(run(BUSYBOX, 'sh', '-c', 'echo out; echo err >&2; exit 7'));
    expect(result).toMatchObject({ code: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  alike('doctor runs a box of its own with emulation, and leaves nothing behind', async () => {
    const { code, stdout } = await actor.run(['doctor', '--format', 'json']);
    const { selfTests, server } = JSON.parse(stdout);
    expect(code, stdout).toBe(0);
    expect(selfTests[1]).toMatchObject({
      accelerator: 'tcg',
      result: { kernel: expect.stringMatching(/^\d+\./) },
    });
    expect(server.engines[0].available).toBe(true);
    expect((await actor.ok(['ps', '--all', '--quiet'])).trim()).toBe('');
  });

  alike('run applies environment, directory, user, host name and entry point', async () => {
    const file = join(actor.directory, 'env');
    writeFileSync(file, '# comment\nFROM_FILE=a "b" c\nINHERITED\n');
    const result = await actor.run(
      run(
        ...[
          '-e',
          'ONE=1',
          '--env-file',
          file,
          '-w',
          '/tmp',
          '-u',
          'nobody',
          '--hostname',
          'host-a',
        ],
        ...['--entrypoint', 'sh', BUSYBOX, '-c'],
        'echo $ONE,$FROM_FILE,$INHERITED,$(pwd),$(id -un),$(hostname),$HOME',
      ),
      { env: { INHERITED: 'yes' } },
    );
    expect(result.stderr).toBe('');
    expect(result.stdout).toBe('1,a "b" c,yes,/tmp,nobody,host-a,/nonexistent\n');
  });

  alike('run accepts a numeric user and group that the image does not know', async () => {
    const result = await actor.run(
      run('-u', '4242:4343', BUSYBOX, 'sh', '-c', 'id -u; id -g; cat > /f'),
    );
    expect(result.stdout).toBe('4242\n4343\n');
    expect(result.code).not.toBe(0);
  });

  alike('run starts an image without a shell by its own entry point', async () => {
    const result = await actor.run(run(DISTROLESS));
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).not.toBe('');
  });

  alike(
    'run creates the directories of the image’s volumes, and Docker’s mark of a container',
    async () => {
      const archive = join(actor.directory, 'volumes.tar');
      const image = busyboxImage('test/volumes:1');
      const config = { ...image.config, Volumes: { '/data': {}, '/var/lib/deep/er': {} } };
      writeFileSync(archive, dockerArchive([buildImage({ ...image, config })]));
      await actor.ok(['load', '--quiet', '--input', archive]);
      const look =
        "stat -c '%n %a %u %F' /data /var/lib/deep/er /.dockerenv; : > /data/file && echo ok";
      expect((await actor.run(run('test/volumes:1', 'sh', '-c', look))).stdout).toBe(
        [
          ...['/data 755 0 directory', '/var/lib/deep/er 755 0 directory'],
          ...['/.dockerenv 755 0 regular empty file', 'ok', ''],
        ].join('\n'),
      );
    },
  );

  alike(
    'inspect --size shows how much a box has written, and 0 where it wrote nothing',
    async () => {
      const sizeOf = async (...command: string[]): Promise<number> => {
        const id = await actor.ok(['create', '--network', 'none', BUSYBOX, ...command]);
        await actor.run(['start', '--attach', id]);
        const size = await actor.ok(['inspect', '--size', '--format', '{{.SizeRw}}', id]);
        await actor.ok(['rm', id]);
        return Number(size);
      };
      expect(await sizeOf('true')).toBe(0);
      // A few blocks more or less: of directories, of which every image lacks others.
      for (const kib of [300, 3072]) {
        const size = await sizeOf('dd', 'if=/dev/zero', 'of=/big', 'bs=1K', `count=${kib}`);
        expect(Math.abs(size - kib * 1024)).toBeLessThan(64 * 1024);
      }
    },
  );

  alike('run exits like Docker when the command cannot start', async () => {
    const missing = await actor.run(run(BUSYBOX, 'no-such-program'));
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain('executable file not found in $PATH');
    const forbidden = await actor.run(run(BUSYBOX, '/etc/passwd'));
    expect(forbidden.code).toBe(126);
    expect(forbidden.stderr).toContain('permission denied');
    const stranger = await actor.run(run('-u', 'stranger', BUSYBOX, 'true'));
    expect(stranger.code).toBe(125);
    expect(stranger.stderr).toContain('stranger');
  });

  alike('run exits with 128 plus the signal that ended the program', async () => {
    const result = await actor.run(run(BUSYBOX, 'sh', '-c', 'sh -c "kill -TERM \\$\\$"; exit $?'));
    expect(result.code).toBe(143);
  });

  alike('run -i passes five megabytes through unchanged', async () => {
    const bytes = randomBytes(5_000_000);
    const result = await actor.run(run('-i', BUSYBOX, 'cat'), { stdin: bytes });
    expect(result.code).toBe(0);
    expect(digest(result.bytes)).toBe(digest(bytes));
  });

  it('runs a box detached, and lists, reads, enters, stops and removes it', async () => {
    const id = await actor.ok([
      ...[
        'run',
        '-d',
        '--name',
        'daily',
        '--network',
        'none',
        '--label',
        'team=a',
        '--stop-timeout',
        '5',
      ],
      ...[
        BUSYBOX,
        'sh',
        '-c',
        'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.1; done',
      ],
    ]);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(
      await actor.ok(['ps', '--format', '{{.Names}} {{.Image}} {{.State}} {{.Label "team"}}']),
    ).toBe(`daily ${BUSYBOX} running a`);
    const exec = await actor.run([
      'exec',
      '-e',
      'A=b',
      '-w',
      '/tmp',
      'daily',
      'sh',
      '-c',
      'echo $A; pwd; exit 9',
    ]);
    expect(exec).toMatchObject({ code: 9, stdout: 'b\n/tmp\n' });
    expect((await actor.run(['exec', 'daily', 'no-such-program'])).code).toBe(126);
    const piped = await actor.run(['exec', '-i', 'daily', 'cat'], { stdin: '\0\xff binary' });
    expect(piped.stdout).toBe('\0\xff binary');
    expect(await actor.ok(['stop', 'daily'])).toBe('daily');
    expect(await actor.ok(['logs', 'daily'])).toBe('ready\nbye');
    expect(
      await actor.ok(['inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'daily']),
    ).toBe('exited 3');
    expect(await actor.ok(['rm', 'daily'])).toBe('daily');
    const gone = await actor.run(['inspect', 'daily']);
    expect(gone.code).toBe(1);
    expect(gone.stderr).toContain('no-such-box');
  });

  alike('keeps written files across stop and start', async () => {
    await actor.ok([
      'run',
      '--name',
      'kept',
      '--network',
      'none',
      BUSYBOX,
      'sh',
      '-c',
      'echo x >> /data; cat /data',
    ]);
    const again = await actor.run(['start', '--attach', 'kept']);
    expect(again.stdout).toBe('x\nx\n');
    await actor.ok(['rm', 'kept']);
  });

  alike('kills a box with the requested signal', async () => {
    await actor.ok([
      'run',
      '-d',
      '--name',
      'killed',
      '--network',
      'none',
      BUSYBOX,
      'sleep',
      '1000',
    ]);
    await actor.ok(['kill', 'killed']);
    expect(await actor.ok(['wait', 'killed'])).toBe('137');
    await actor.ok(['rm', 'killed']);
  });
});

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
