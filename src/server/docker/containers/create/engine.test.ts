import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

async function engineOf(id: string) {
  const { body } = await home.call('GET', `/containers/${id}/json`);
  return (body as { Engine: { Name: string; Reason: string } }).Engine;
}

it('starts a box on the engine that its request names, without a template', async () => {
  const id = await home.create(['sleep', 'infinity'], { Engine: 'krun' });
  expect(await engineOf(id)).toEqual({ Name: 'krun', Reason: 'named when it was created' });
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
  expect(home.host.launches.at(-1)).toMatchObject({ engine: 'krun', template: undefined });
});

it('chooses QEMU where no engine is named, and says why', async () => {
  const id = await home.create(['sleep', 'infinity'], {});
  const { Name, Reason } = await engineOf(id);
  expect(Name).toBe('qemu');
  expect(Reason).toContain('chosen automatically');
});

it('uses the configured engine where the request names none', async () => {
  Object.assign(home.runtime.engine, { configured: 'krun' });
  try {
    const id = await home.create(['sleep', 'infinity'], {});
    expect(await engineOf(id)).toEqual({ Name: 'krun', Reason: 'configured: A3S_ENGINE' });
    expect(
      (await engineOf(await home.create(['sleep', 'infinity'], { Engine: 'qemu' }))).Name,
    ).toBe('qemu');
  } finally {
    Object.assign(home.runtime.engine, { configured: undefined });
  }
});

describe('the engine krun', () => {
  const before = () => home.runtime.store.list().length;

  it.each([
    ['a confidential box', { Confidential: { Tee: 'simulate' } }, 'starts no confidential boxes'],
    [
      'a limit of the disk',
      { HostConfig: { BlkioDeviceReadBps: [{ Path: '/dev/root', Rate: 1_000_000 }] } },
      'limits no rates of disks',
    ],
    ['a network policy', { Egress: { Default: 'deny' } }, 'where policies are enforced'],
    [
      'more memory than its kernel finds an initrd behind',
      { HostConfig: { Memory: 3328 * 2 ** 20 } },
      'boots this project’s kernel with 3328 MiB at most',
    ],
  ])('refuses %s before it makes anything', async (_, asked, reason) => {
    const had = before();
    const answer = await home.call('POST', '/containers/create', {
      ...{ Image: 'busybox', Cmd: ['x'], Engine: 'krun' },
      ...asked,
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'engine-unsupported' } });
    expect(JSON.stringify(answer.body)).toContain(
      `the engine krun ${reason}`.replace(/ where.*/, ''),
    );
    expect(before()).toBe(had);
  });

  it('refuses snapshots of its boxes', async () => {
    const id = await home.create(['sleep', 'infinity'], { Engine: 'krun' });
    await home.call('POST', `/containers/${id}/start`);
    for (const memory of [true, false]) {
      const answer = await home.call('POST', '/a3s/v1/snapshots', { box: id, memory });
      expect(answer, String(memory)).toMatchObject({
        status: 400,
        body: { code: 'engine-unsupported' },
      });
    }
  });

  it('refuses a box where the host does not have the engine, with the reason', async () => {
    home.host.lacking.set('krun', 'libkrun.so.1 was not found');
    try {
      const answer = await home.call('POST', '/containers/create', {
        ...{ Image: 'busybox', Cmd: ['x'], Engine: 'krun' },
      });
      expect(answer).toMatchObject({ status: 500, body: { code: 'engine-unavailable' } });
    } finally {
      home.host.lacking.clear();
    }
  });
});
