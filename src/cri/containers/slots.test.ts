import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TEMPLATE_SLOTS } from '../../engine/vm/slots.ts';
import { A3sError } from '../../errors.ts';
import { PROTOCOL } from '../../guest/protocol.ts';
import { FakeTemplates } from '../../server/testing/templates.ts';
import { ContainerState } from '../api/enums.ts';
import { servePod } from '../testing/serve-pod.ts';

const LAYERS = TEMPLATE_SLOTS.layers.map((_, index) => ({
  diffId: `${index}`,
  path: `/l${index}`,
}));

const pod = servePod();
const ids: string[] = [];
let templates: FakeTemplates;
beforeEach(() => {
  templates = new FakeTemplates();
  templates.protocol = PROTOCOL.maximum;
  const { templates: own } = pod.home.runtime;
  vi.spyOn(own, 'take').mockImplementation((shape) => templates.take(shape));
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const id of ids.splice(0)) await pod.removePod(id);
});

/** The pod of the test, from now on. */
async function runWarm(): Promise<void> {
  ids.push(pod.id);
  pod.id = await pod.run({
    metadata: { name: 'warm', uid: 'w', namespace: 'default', attempt: 0 },
  });
}

const directory = (): string => join(pod.home.config.home, 'pods', pod.id);
const vm = () => pod.home.host.vm(pod.id);
const rootOf = (id: string) => pod.guest?.specs.get(id)?.rootfs;
const slotted = () => vm()?.attached.map(({ serial }) => serial);
const layered = (layers: typeof LAYERS) =>
  vi.spyOn(pod.home.runtime.images, 'bootLayers').mockResolvedValue(layers);

it('puts the root of the first container into the slots of its template, of others into ports', async () => {
  await runWarm();
  const first = await pod.create('first');
  const second = await pod.create('second');
  expect(readdirSync(directory()).sort()).toEqual(
    [`${first}.ext4`, `${second}.ext4`, 'slot.ext4'].sort(),
  );
  await pod.startContainer(second);
  await pod.startContainer(first);
  expect(rootOf(second)).toMatchObject({
    layers: [{ serial: 'layer-0' }],
    changes: { kind: 'disk', serial: 'changes' },
  });
  expect(slotted()).toEqual(['layer-0']);
  // What the guest has mounted is this container's disk now.
  expect(readFileSync(join(directory(), `${second}.ext4`), 'utf8')).toBe('template');
  expect([...(pod.disks ?? [])].map(([name]) => name)).toEqual([first.slice(0, 12)]);
  expect(rootOf(first)?.layers).toEqual([{ serial: `${first.slice(0, 12)}-l0` }]);
  await pod.stop(second, 0n);
  await pod.remove(second);
  expect(readdirSync(directory())).toEqual([`${first}.ext4`]);
  // The guest has read them.
  const third = await pod.started('third');
  expect(rootOf(third)?.layers).toEqual([{ serial: `${third.slice(0, 12)}-l0` }]);
  expect(slotted()).toEqual(['layer-0']);
});

it('leaves the slots to a container whose layers they have room for', async () => {
  await runWarm();
  const many = layered([...LAYERS, { diffId: 'one more', path: '/more' }]);
  const large = await pod.started('large');
  expect(rootOf(large)?.layers).toHaveLength(LAYERS.length + 1);
  expect(slotted()).toEqual([]);
  many.mockResolvedValue(LAYERS);
  const fitting = await pod.started('fitting');
  expect(rootOf(fitting)?.layers).toEqual(TEMPLATE_SLOTS.layers.map((serial) => ({ serial })));
  expect(slotted()).toEqual(TEMPLATE_SLOTS.layers);
});

it('gives the slots to a container that starts after the server was killed', async () => {
  await runWarm();
  const id = await pod.create('late');
  await pod.home.crash();
  await pod.home.start();
  expect(existsSync(join(directory(), 'slot.ext4'))).toBe(true);
  await pod.startContainer(id);
  expect(slotted()).toEqual(['layer-0']);
  expect(await pod.stateOf(id)).toBe(ContainerState.CONTAINER_RUNNING);
});

it('puts a container into ports after one that could not start took the slots', async () => {
  await runWarm();
  const machine = vm();
  if (machine === undefined) throw new Error('no microVM');
  machine.attachFailure = new A3sError('vmm-failed', 'no');
  const failed = await pod.create('failed');
  await expect(pod.startContainer(failed)).rejects.toThrow('no');
  expect(await pod.stateOf(failed)).toBe(ContainerState.CONTAINER_EXITED);
  machine.attachFailure = undefined;
  const next = await pod.started('next');
  expect(rootOf(next)?.layers).toEqual([{ serial: `${next.slice(0, 12)}-l0` }]);
});

it.each([
  ['boots', () => Object.assign(templates, { there: false })],
  // Before there were pods.
  ['cannot start from its template', () => Object.assign(templates, { protocol: 2 })],
])('keeps no disk for the slots of a pod that %s', async (_, arrange) => {
  arrange();
  await runWarm();
  const id = await pod.started('cold');
  expect(readdirSync(directory())).toEqual([`${id}.ext4`]);
  expect(rootOf(id)?.layers).toEqual([{ serial: `${id.slice(0, 12)}-l0` }]);
});
