import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestHome } from '../../testing/home.ts';

let home: TestHome;
let device: string;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
  device = join(home.config.home, '../data');
  mkdirSync(device);
});
afterEach(() => home.remove());

const make = () => {
  const DriverOpts = { type: 'none', o: 'bind', device };
  return home.call('POST', '/volumes/create', { Name: 'data', DriverOpts });
};

it('mounts the directory of the host that a volume names, fills it not, and leaves it there', async () => {
  expect(await make()).toMatchObject({ status: 201, body: { Mountpoint: device } });
  const id = await home.create(['sleep', 'infinity'], { HostConfig: { Binds: ['data:/data'] } });
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  const share = { tag: 'volume-0', path: device, readonly: false, resolved: true };
  const machine = home.host.running.find(({ spec }) => spec.id === id);
  expect(machine?.spec.shares).toEqual([share]);
  const mount = { kind: 'virtiofs', tag: 'volume-0', destination: '/data', readonly: false };
  expect(home.agents.get(id)?.spec?.mounts).toEqual([mount]);
  writeFileSync(join(device, 'file'), 'x'.repeat(100_000));
  const { body } = await home.call('GET', '/system/df?type=volume');
  expect(body).toMatchObject({ Volumes: [{ UsageData: { Size: 0, RefCount: 1 } }] });
  await home.call('DELETE', `/containers/${id}?force=1`);
  expect((await home.call('DELETE', '/volumes/data')).status).toBe(204);
  expect(readdirSync(device)).toEqual(['file']);
});

it('makes no volume of a directory that is not there, and starts no box with one that has gone', async () => {
  rmdirSync(device);
  const missing = { status: 400, body: { code: 'bind-source-missing' } };
  expect(await make()).toMatchObject(missing);
  expect((await home.call('GET', '/volumes/data')).status).toBe(404);
  mkdirSync(device);
  await make();
  const id = await home.create(['true'], { HostConfig: { Binds: ['data:/data'] } });
  rmdirSync(device);
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject(missing);
});
