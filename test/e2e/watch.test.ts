import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { itInSoak } from './it-where.ts';
import { until } from './processes.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** The loader of the host's dynamic programs, beside their libraries. */
const LOADER = realpathSync('/lib64/ld-linux-x86-64.so.2');
/** A program of Debian's that shell scripts wait for changes with. */
const INOTIFYWAIT = '/usr/bin/inotifywait';
const MODULES = join(import.meta.dirname, '../../node_modules');

/** What a box runs the Node of the host with, and the modules of this project. */
const NODE_MOUNTS = [
  ...['-v', `${dirname(LOADER)}:/host/lib:ro`, '-v', `${MODULES}:/host/node_modules:ro`],
  ...['-v', `${realpathSync(process.execPath)}:/host/node:ro`],
];
const NODE = [`/host/lib/${basename(LOADER)}`, '--library-path', '/host/lib', '/host/node'];

describe.each(ANY_ACTOR)('a box of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  /** The user's own files: those of others a box of an ordinary user cannot touch. */
  function write(path: string, content: string): void {
    writeFileSync(path, content);
    actor.own(path);
  }

  function makeDirectory(path: string): void {
    mkdirSync(path);
    actor.own(path);
  }

  it('shows Node and vite in it what the host adds, changes, replaces and removes', async () => {
    const app = join(actor.directory, 'app');
    makeDirectory(app);
    makeDirectory(join(app, 'src'));
    write(join(app, 'src/old.js'), 'one');
    copyFileSync(join(import.meta.dirname, 'watch-program.mjs'), join(app, 'watch.mjs'));
    const mounts = [...NODE_MOUNTS, '-v', `${app}:/data`];
    await actor.ok([
      ...['run', '-d', '--name', 'node', '--network', 'none', '-m', '1g', ...mounts, BUSYBOX],
      ...[...NODE, '/data/watch.mjs', '/data', '/host/node_modules'],
    ]);
    const hasSaid = async (line: string): Promise<boolean> => {
      const { stdout, stderr } = await actor.run(['logs', 'node']);
      if (stderr !== '') throw new Error(stderr);
      return stdout.split('\n').includes(line);
    };
    const says = (line: string): Promise<void> => until(`it says ${line}`, () => hasSaid(line));
    await says('ready');
    // The host begins to watch after the box has started.
    let writes = 0;
    await until('it says that new.js has changed', async () => {
      writes += 1;
      write(join(app, 'new.js'), String(writes));
      return await hasSaid('fs.watch change new.js');
    });
    await says('vite add /data/new.js');
    appendFileSync(join(app, 'src/old.js'), ' two');
    await says('vite change /data/src/old.js');
    makeDirectory(join(app, 'src/deep'));
    await says('vite addDir /data/src/deep');
    // Vite reads a new directory before it watches it, and misses what is added between.
    await until('it says that file.js was added', async () => {
      writes += 1;
      write(join(app, 'src/deep/file.js'), String(writes));
      return await hasSaid('vite add /data/src/deep/file.js');
    });
    write(join(app, 'other'), 'longer than before');
    renameSync(join(app, 'other'), join(app, 'new.js'));
    await says('vite change /data/new.js');
    rmSync(join(app, 'src/old.js'));
    await says('vite unlink /data/src/old.js');
    expect((await actor.run(['exec', 'node', 'cat', '/data/new.js'])).stdout).toBe(
      'longer than before',
    );
  });

  // Starts of Node take many seconds under emulation.
  itInSoak('has nodemon start a server again when the host changes its program', async () => {
    const app = join(actor.directory, 'served');
    makeDirectory(app);
    const program = (line: string): string =>
      `console.log('${line}'); setInterval(() => {}, 1000);`;
    write(join(app, 'app.js'), program('first'));
    await actor.ok([
      ...['run', '-d', '--name', 'nodemon', '--network', 'none', '-m', '1g', ...NODE_MOUNTS],
      ...['-v', `${app}:/data`, '-w', '/data', BUSYBOX],
      ...[...NODE, '/host/node_modules/nodemon/bin/nodemon.js'],
      ...['--exec', NODE.join(' '), 'app.js'],
    ]);
    const says = (line: string, deadlineMs?: number): Promise<void> => {
      const hasSaid = async (): Promise<boolean> =>
        (await actor.run(['logs', 'nodemon'])).stdout.split('\n').includes(line);
      return until(`it says ${line}`, hasSaid, deadlineMs);
    };
    await says('first');
    // The host begins to watch a second after the box has started, and nodemon after that.
    let changes = 0;
    await until('nodemon starts the changed program', async () => {
      changes += 1;
      write(join(app, 'app.js'), program(`change ${changes}`));
      return await says(`change ${changes}`, 20_000).then(
        () => true,
        () => false,
      );
    });
    // As editors save: a new file takes the place of the old one.
    write(join(app, 'app.js~'), program('replaced'));
    renameSync(join(app, 'app.js~'), join(app, 'app.js'));
    await says('replaced');
    // Of the processes with this program, one is nodemon itself.
    const running = "ps | grep -c '[h]ost/node app.js'";
    expect(await actor.ok(['exec', 'nodemon', 'sh', '-c', running])).toBe('2');
  });

  it('wakes inotifywait of Debian, by which a script restarts a program', async () => {
    const app = join(actor.directory, 'script');
    makeDirectory(app);
    write(join(app, 'program.sh'), 'echo first');
    const mounts = [
      ...['-v', `${app}:/data`, '-v', `${dirname(LOADER)}:/host/lib:ro`],
      ...['-v', `${INOTIFYWAIT}:/host/inotifywait:ro`],
    ];
    const loader = `/host/lib/${basename(LOADER)}`;
    // What is changed while the program runs is seen too: the watch begins before it.
    const script = `${loader} --library-path /host/lib /host/inotifywait -q -m -e modify /data |
      while read -r where; do sh /data/program.sh; done`;
    const run = ['run', '-d', '--name', 'script', '--network', 'none', ...mounts, BUSYBOX];
    await actor.ok([...run, 'sh', '-c', script]);
    const runs = async (line: string): Promise<boolean> =>
      (await actor.run(['logs', 'script'])).stdout.split('\n').includes(line);
    // The host begins to watch a second after the box has started.
    let writes = 0;
    await until('the script wakes', async () => {
      writes += 1;
      write(join(app, 'other'), String(writes));
      return await runs('first');
    });
    write(join(app, 'program.sh'), 'echo second');
    await until('the script runs what was written', () => runs('second'));
    const { stderr } = await actor.run(['logs', 'script']);
    expect(stderr).toBe('');
  });
});
