import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TestHome } from '../../server/testing/home.ts';
import { joinOnPorts } from './ports.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

it('fails a start whose disks cannot be made while an earlier network of the box is being left', async () => {
  await home.call('POST', '/networks/create', { Name: 'db' });
  const id = await home.create(['true'], { HostConfig: { NetworkMode: 'db' } });
  const rt = home.runtime;
  vi.spyOn(home.hostNetworks, 'detach').mockImplementation(async () => {
    // A rejection that nobody handles by then would end the server.
    await turn();
  });
  const plan = { state: {}, besides: Promise.reject(new Error('no room for the disk')) };
  const use = vi.fn();
  await expect(joinOnPorts(rt, rt.store.expect(id), plan, use)).rejects.toThrow('no room');
  expect(use).not.toHaveBeenCalled();
});
