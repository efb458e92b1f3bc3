import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { attachDisks } from './attach-disks.ts';
import type { QmpClient } from './qmp.ts';

let directory: string;
let image: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-insert-'));
  image = join(directory, 'layer');
  writeFileSync(image, 'layer');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The node name differs each time, because a slot may be used twice. */
const NODE: unknown = expect.stringMatching(/^layer-1-[0-9a-f]{16}$/);

interface Asked {
  readonly command: string;
  readonly args: unknown;
  readonly passed: boolean;
}

function monitor(): { asked: Asked[]; client: QmpClient } {
  const asked: Asked[] = [];
  const execute = async (
    command: string,
    args: unknown,
    _schema: unknown,
    fd?: number,
  ): Promise<unknown> => {
    asked.push({ command, args, passed: fd !== undefined });
    return {};
  };
  return { asked, client: { execute } as unknown as QmpClient };
}

it('attaches an image below the node of its slot, and leaves no descriptor in QEMU', async () => {
  const { asked, client } = monitor();
  await attachDisks(client, [{ path: image, serial: 'layer-1', readonly: true }]);
  const set = { 'fdset-id': 801 };
  expect(asked).toMatchObject([
    { command: 'add-fd', args: set, passed: true },
    {
      command: 'blockdev-add',
      args: { 'node-name': NODE, filename: '/dev/fdset/801', 'read-only': true },
    },
    {
      command: 'blockdev-reopen',
      args: { options: [{ driver: 'raw', 'node-name': 'layer-1', file: NODE }] },
    },
    { command: 'remove-fd', args: set },
  ]);
});

it.each([
  ['that is no layer', 'changes', true],
  ['beyond the slots', 'layer-7', true],
  ['that is written to', 'layer-0', false],
])('refuses a disk %s before it asks QEMU for anything', async (_, serial, readonly) => {
  const { asked, client } = monitor();
  await expect(attachDisks(client, [{ path: image, serial, readonly }])).rejects.toMatchObject({
    code: 'invalid-argument',
  });
  expect(asked).toEqual([]);
});

it('reports a disk image that cannot be opened', async () => {
  const { client } = monitor();
  const disk = { path: join(directory, 'none'), serial: 'layer-0', readonly: true };
  await expect(attachDisks(client, [disk])).rejects.toMatchObject({ code: 'state-unusable' });
});
