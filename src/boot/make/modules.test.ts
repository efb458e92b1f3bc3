import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { syntheticModule } from '../testing/synthetic.ts';
import { makeInitrd } from './initrd.ts';
import { loadModules } from './modules.ts';

const RELEASE = '6.1';
const TABLE = {
  common: ['overlay'],
  tun: ['tun'],
  containers: ['veth', 'xt_mark', 'nf_nat', 'binfmt_misc'],
};

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'modules-'));
  await mkdir(join(root, 'kernel'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function kernelWith(names: readonly string[], builtin: readonly string[] = []) {
  for (const name of names) {
    const file = join(root, 'kernel', `${name.replaceAll('_', '-')}.ko`);
    await writeFile(file, syntheticModule(name, [], RELEASE));
  }
  const lines = builtin.map((name) => `kernel/net/${name.replaceAll('_', '-')}.ko\n`);
  await writeFile(join(root, 'modules.builtin'), lines.join(''));
  const loaded = await loadModules(root, RELEASE, TABLE);
  const initrd = makeInitrd(Buffer.from('agent'), loaded).toString('latin1');
  return {
    modules: loaded.modules.map(({ name }) => name),
    missing: Object.fromEntries(loaded.missing),
    orders: [...new Set(initrd.match(/modules\/order[.a-z]*/g))],
  };
}

test('leaves out a use that few boxes ask for when the kernel lacks a module of it', async () => {
  expect(await kernelWith(['overlay', 'tun', 'veth', 'nf_nat'])).toEqual({
    modules: ['overlay', 'tun'],
    missing: { containers: ['xt_mark'] },
    orders: ['modules/order', 'modules/order.tun'],
  });
});

test('the modules of a boot set contain none for what the kernel has built in', async () => {
  expect(await kernelWith(['overlay', 'veth', 'xt_mark'], ['tun', 'nf_nat'])).toEqual({
    modules: ['overlay', 'veth', 'xt_mark'],
    missing: {},
    orders: ['modules/order', 'modules/order.containers', 'modules/order.tun'],
  });
});

test('takes the emulation of other processors where the kernel has it, and does without it', async () => {
  const names = ['overlay', 'tun', 'veth', 'xt_mark', 'nf_nat'];
  const without = await kernelWith(names);
  expect(without).toMatchObject({ modules: names, missing: {} });
  expect(await kernelWith([...names, 'binfmt_misc'])).toEqual({
    ...without,
    modules: [...names, 'binfmt_misc'],
  });
});

test('refuses a kernel without a module that every box needs, or a malformed one', async () => {
  await expect(kernelWith(['tun'], ['overlay'])).rejects.toThrow('overlay');
  await writeFile(join(root, 'kernel', 'veth.ko'), 'no module');
  await expect(kernelWith(['overlay', 'tun', 'xt_mark', 'nf_nat'])).rejects.toThrow('veth');
});
