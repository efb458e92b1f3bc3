import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { insertDisks } from './insert.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'insert-'));
  path = join(directory, 'image');
  await writeFile(path, '');
});
afterEach(() => rm(directory, { recursive: true }));

const told: { name: string; args: Readonly<Record<string, unknown>> }[] = [];
const monitor = {
  execute: async <T>(
    name: string,
    args: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): Promise<T> => {
    told.push({ name, args });
    return schema.parse({});
  },
};
const disk = (serial: string, readonly = true) => ({ path, serial, readonly });

describe('disks that are put into slots', () => {
  it('can follow another one in the same slot: QEMU keeps both under their own names', async () => {
    told.length = 0;
    await insertDisks(monitor, [disk('layer-6')]);
    await insertDisks(monitor, [disk('layer-6')]);
    const names = told
      .filter(({ name }) => name === 'blockdev-add')
      .map(({ args }) => z.string().max(31).parse(args['node-name']));
    expect(names).toHaveLength(2);
    expect(new Set(names).size).toBe(2);
  });

  it('are refused where there is no slot for them, or they could be written', async () => {
    const invalid = { code: 'invalid-argument' };
    await expect(insertDisks(monitor, [disk('layer-7')])).rejects.toMatchObject(invalid);
    await expect(insertDisks(monitor, [disk('changes')])).rejects.toMatchObject(invalid);
    await expect(insertDisks(monitor, [disk('layer-0', false)])).rejects.toMatchObject(invalid);
  });

  it('are no links', async () => {
    const link = join(directory, 'link');
    await symlink(path, link);
    const inserted = insertDisks(monitor, [{ path: link, serial: 'layer-0', readonly: true }]);
    await expect(inserted).rejects.toMatchObject({ code: 'state-unusable' });
  });
});
