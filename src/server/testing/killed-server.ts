/**
 * A server over fakes that does one thing with the files of a box; the test kills the process
 * meanwhile. Arguments: the directory of its home, and what it does.
 *
 * @module
 */

import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestHome } from './home.ts';
import { FakeImages, TEST_IMAGE } from './images.ts';
import { FILLED, KILLED_BOX, LATER } from './killed-server-files.ts';

const [root = '', what = ''] = process.argv.slice(2);
const home = new TestHome(new FakeImages(TEST_IMAGE), root);
await home.start();

async function ask(method: string, path: string, body?: unknown): Promise<void> {
  const answer = await home.call(method, path, body);
  if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
}
const box = (verb: string) => ask('POST', `/containers/${KILLED_BOX}/${verb}`);
const snapshot = (name: string) =>
  ask('POST', '/a3s/v1/snapshots', { box: KILLED_BOX, memory: false, name });

/** As a guest does: the files are there when the server makes them the volume's. */
function fillVolumes(): void {
  const { volumes } = home.runtime;
  const mount = volumes.mount.bind(volumes);
  volumes.mount = async (...given) => {
    const mounted = await mount(...given);
    const { fill, path } = mounted;
    if (fill === undefined) return mounted;
    const done = async (): Promise<void> => {
      for (const name of FILLED) writeFileSync(join(path, name), name);
      await fill.done();
    };
    return { ...mounted, fill: { ...fill, done } };
  };
}

/** What the box has written since its snapshot. */
function writeLater(): void {
  const id = home.runtime.store.byName(KILLED_BOX)?.definition.id ?? '';
  const directory = join(home.config.home, 'boxes', id);
  const [top = ''] = readdirSync(directory).filter((name) => name.endsWith('.qcow2'));
  writeFileSync(join(directory, top), LATER);
}

const OPERATIONS: Readonly<
  Record<string, { prepare?: () => Promise<void>; run: () => Promise<void> }>
> = {
  'snapshot of a running box': { prepare: () => box('start'), run: () => snapshot('kept') },
  'snapshot of a box that does not run': { run: () => snapshot('kept') },
  'restored disk': {
    prepare: async () => {
      // A box that never ran has written nothing, and gets an empty disk again.
      await box('start');
      await box('kill');
      await box('wait');
      await snapshot('then');
      writeLater();
    },
    run: () => ask('POST', '/a3s/v1/snapshots/then/restore'),
  },
  'box from a snapshot': {
    prepare: () => snapshot('then'),
    run: () => ask('POST', '/a3s/v1/snapshots/then/boxes', { name: 'made' }),
  },
  'filled volume': { prepare: async () => fillVolumes(), run: () => box('start') },
};

await ask('POST', `/containers/create?name=${KILLED_BOX}`, {
  ...{ Image: 'busybox', Cmd: ['sleep', 'infinity'] },
  HostConfig: { NetworkMode: 'none', Binds: ['data:/data'] },
});
const operation = OPERATIONS[what];
if (operation === undefined) throw new RangeError(`There is no ${what}`);
await operation.prepare?.();
process.send?.('ready');
await once(process, 'message');
await operation.run();
process.exit(0);
