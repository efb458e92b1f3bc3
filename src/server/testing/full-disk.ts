/**
 * A server over fakes whose guest fills a volume until the disk of the home is full. Prints how the
 * start ends, and what is left. Argument: the root directory, on a small disk.
 *
 * @module
 */
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDiskFull } from '../../disk-full.ts';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import { TestHome } from './home.ts';
import { FakeImages, TEST_IMAGE } from './images.ts';

const [root] = process.argv.slice(2);
if (root === undefined) throw new RangeError('One argument, please');
const home = new TestHome(new FakeImages(TEST_IMAGE), root);
const { volumes } = await home.start();

/** To the last byte. */
function fillDisk(path: string): void {
  for (const bytes of [1 << 16, 1]) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(bytes));
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }
}

const mount = volumes.mount.bind(volumes);
const filled: string[] = [];
volumes.mount = async (...given) => {
  const mounted = await mount(...given);
  if (mounted.fill !== undefined) filled.push(mounted.path);
  return mounted;
};
home.takeover = (agent, stream) => {
  for (const path of filled) fillDisk(join(path, 'copied'));
  agent.serve(stream);
};
const Binds = ['named:/data', '/anonymous'];
const box = { HostConfig: { NetworkMode: 'none', Binds, AutoRemove: true } };
const id = await home.create(['sleep', 'infinity'], box);
home.agentOptions = { refuseSpec: new FakeRefusal('disk-full', 'copy "big": write: no space') };
const { status, body } = await home.call('POST', `/containers/${id}/start`);
const left = readdirSync(join(home.config.home, 'volumes'), { recursive: true }).sort();
const boxes = home.runtime.store.list().length;
process.stdout.write(JSON.stringify({ status, body, left, boxes }));
process.exit(0);
