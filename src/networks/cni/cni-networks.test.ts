import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CniNetworks } from './cni-networks.ts';

const PODS = Array.from({ length: 12 }, (_, index) => index.toString(16).padStart(64, '0'));
const [POD = ''] = PODS;

let directory: string;
let complaints: unknown[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cni-'));
  complaints = [];
  for (const name of ['conf', 'bin', 'records', 'running', 'done']) mkdirSync(at(name));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (...names: string[]) => join(directory, ...names);
const left = () => readdirSync(at('records')).length;

/** Of an earlier server, or of a start that has failed half-way. */
function known(...pods: string[]): void {
  const list = { cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'plugin' }] };
  const record = JSON.stringify({ list, capabilities: {}, args: '' });
  for (const pod of pods) writeFileSync(at('records', `${pod}.json`), record);
}

function plugin(text: string): void {
  writeFileSync(at('bin/plugin'), `#!/bin/sh\ncd ${directory}\n${text}\n`, { mode: 0o755 });
}

function open(pauses: readonly number[]): CniNetworks {
  const log = { error: (_: string, error: unknown) => void complaints.push(error) };
  const places = { config: at('conf'), plugins: at('bin'), records: at('records') };
  return new CniNetworks({ ...places, namespaces: at('namespaces') }, log, pauses);
}

it('takes a pod out of its network later where DEL has failed, without being asked again', async () => {
  known(POD);
  plugin('echo x >>tries; [ "$(wc -l <tries)" -gt 3 ]');
  const networks = open([1, 2]);
  await expect(networks.detach(POD)).rejects.toMatchObject({ code: 'network-failed' });
  expect(left()).toBe(1);
  await vi.waitFor(() => expect(left()).toBe(0), { timeout: 10_000 });
  // The first failure is the caller's.
  expect(complaints).toHaveLength(2);
});

it('tries a pod of an earlier server again that could not be taken out at the start', async () => {
  known(POD);
  plugin('[ -e repaired ]');
  await open([5]).reconcile([]);
  expect(left()).toBe(1);
  writeFileSync(at('repaired'), '');
  await vi.waitFor(() => expect(left()).toBe(0), { timeout: 10_000 });
});

it('tries no pod again that is out of its network meanwhile, and none that is kept', async () => {
  known(POD);
  plugin('[ "$CNI_COMMAND" = DEL ] && touch asked; [ -e repaired ]');
  const networks = open([50]);
  await expect(networks.detach(POD)).rejects.toThrow();
  writeFileSync(at('repaired'), '');
  await networks.detach(POD);
  rmSync(at('asked'));
  known(POD);
  await networks.reconcile([POD]);
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect([left(), existsSync(at('asked'))]).toEqual([1, false]);
});

it('takes several pods out at once, and no more than eight', async () => {
  known(...PODS);
  // Each waits until another one runs beside it, and counts those that do.
  plugin(`touch running/$CNI_CONTAINERID
i=0; while [ "$(ls running | wc -l)" -lt 2 ] && [ ! -e several ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done
[ "$(ls running | wc -l)" -ge 2 ] && touch several
ls running | wc -l >done/$CNI_CONTAINERID; [ "$(ls running | wc -l)" -gt 8 ] && touch many
rm running/$CNI_CONTAINERID`);
  await open([]).reconcile([]);
  expect([left(), existsSync(at('several')), existsSync(at('many'))]).toEqual([0, true, false]);
});
