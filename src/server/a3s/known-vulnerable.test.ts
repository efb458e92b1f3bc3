import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KNOWN_VULNERABLE } from '@a3s-box/policies/known-vulnerable';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ovmfImage } from '../../cli/testing/ovmf-image.ts';
import { TestHome } from '../testing/home.ts';
import { allowConfidential } from '../testing/signed-images.ts';

/** A launch digest that is on the list too: those of the tests' small files are on none. */
const more = vi.hoisted(() => ({ launch: '' }));
vi.mock('@a3s-box/policies/known-vulnerable', async (original) => {
  const list = await original<typeof import('@a3s-box/policies/known-vulnerable')>();
  const [entry] = list.KNOWN_VULNERABLE.entries;
  return {
    ...list,
    findVulnerable: (...[kind, digest]: Parameters<typeof list.findVulnerable>) =>
      kind === 'launch' && digest === more.launch
        ? { ...entry, kind, digest }
        : list.findVulnerable(kind, digest),
  };
});

const FIRMWARE = KNOWN_VULNERABLE.entries.find(({ kind }) => kind === 'firmware')?.digest ?? '';
const SOUND = 'ab'.repeat(32);

const home = new TestHome();
const files = mkdtempSync(join(tmpdir(), 'a3s-vulnerable-'));

beforeAll(async () => {
  home.trust.rules = [allowConfidential('**')];
  bootFrom(SOUND);
  await home.start();
});
beforeEach(() => {
  more.launch = '';
  bootFrom(SOUND);
});
afterAll(async () => {
  await home.remove();
  rmSync(files, { recursive: true });
});

/** A boot set whose `boot.json` says this of its firmware. */
function bootFrom(firmwareDigest: string): void {
  const paths = { firmwarePath: 'OVMF.fd', kernelPath: 'bzImage', initrdPath: 'initrd' };
  const [firmwarePath = '', kernelPath = '', initrdPath = ''] = Object.values(paths).map((name) => {
    const path = join(files, name);
    writeFileSync(path, name === 'OVMF.fd' ? ovmfImage() : name);
    return path;
  });
  const { confidential } = home.boot;
  if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
  home.boot = {
    ...home.boot,
    confidential: { ...confidential, firmwarePath, firmwareDigest, kernelPath, initrdPath },
  };
}

const BODY = {
  Image: 'busybox',
  Cmd: ['sleep', 'infinity'],
  Confidential: { Tee: 'simulate' },
};
const REFUSED = {
  status: 403,
  body: {
    code: 'known-vulnerable',
    message: expect.stringContaining(`the firmware ${FIRMWARE} is known to be vulnerable`),
  },
};

describe('a boot set that is known to be vulnerable', () => {
  it('refuses to create a confidential box from a vulnerable boot set', async () => {
    bootFrom(FIRMWARE);
    const before = home.runtime.store.list().length;
    expect(await home.call('POST', '/containers/create', BODY)).toMatchObject(REFUSED);
    expect(home.runtime.store.list()).toHaveLength(before);
  });

  it('refuses to start a confidential box whose boot set has become known as vulnerable', async () => {
    const id = await home.create(BODY.Cmd, { Confidential: BODY.Confidential });
    bootFrom(FIRMWARE);
    expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject(REFUSED);
    expect(home.runtime.store.expect(id).state.exitCode).toBe(125);
    bootFrom(SOUND);
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  });

  it('does not retry by a restart policy when the boot set is known to be vulnerable', async () => {
    const id = await home.create(BODY.Cmd, {
      Confidential: BODY.Confidential,
      HostConfig: { RestartPolicy: { Name: 'always' } },
    });
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
    bootFrom(FIRMWARE);
    home.host.vm(id)?.crash();
    const state = () => home.runtime.store.expect(id).state;
    await expect.poll(state, { timeout: 20_000 }).toMatchObject({
      ...{ status: 'exited', exitCode: 125, restartDelayMs: undefined },
      error: expect.stringContaining('is known to be vulnerable'),
    });
  });

  it('starts plain boxes from a vulnerable boot set', async () => {
    bootFrom(FIRMWARE);
    const id = await home.create(BODY.Cmd);
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  });

  it('measures a vulnerable boot set only when the policy excepts exactly its firmware', async () => {
    bootFrom(FIRMWARE);
    const ask = (query: string) => home.call('POST', `/a3s/v1/measure${query}`, BODY);
    expect(await ask('')).toMatchObject(REFUSED);
    const others = [SOUND, 'cd'.repeat(48)].join(',');
    expect(await ask(`?allowKnownVulnerable=${others}`)).toMatchObject(REFUSED);
    expect(await ask(`?allowKnownVulnerable=${SOUND},${FIRMWARE}`)).toMatchObject({ status: 200 });
    expect((await ask('?allowKnownVulnerable=all')).status).toBe(400);
    expect((await ask('?allowKnownVulnerable=')).status).toBe(400);
  });

  it('recognises a vulnerable launch by its digest, and excepts it in the box’s policy', async () => {
    const ask = (query = '') => home.call('POST', `/a3s/v1/measure${query}`, BODY);
    const { body } = await ask();
    const { measurement, policy } = body as { measurement: string; policy: object };
    expect(policy).not.toHaveProperty('allowKnownVulnerable');
    more.launch = measurement;
    expect(await ask()).toMatchObject({ status: 403, body: { code: 'known-vulnerable' } });
    for (const allowed of [measurement, SOUND]) {
      expect(await ask(`?allowKnownVulnerable=${allowed}`)).toMatchObject({
        status: 200,
        body: { policy: { allowKnownVulnerable: [measurement] } },
      });
    }
  });
});
