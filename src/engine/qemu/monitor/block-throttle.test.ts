import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { throttleDisk } from './block-throttle.ts';
import { findDisks } from './find-disks.ts';
import type { QmpClient } from './qmp.ts';
import { vmSize } from './size.ts';

interface FakeDisk {
  readonly id: string;
  readonly serial: string;
  readonly ro: boolean;
}

function monitor(disks: readonly FakeDisk[], others: Readonly<Record<string, unknown>> = {}) {
  const asked: [string, unknown][] = [];
  const device = (id: string) => `/machine/peripheral/${id}/virtio-backend`;
  const answer = (command: string, args: { path?: string }): unknown => {
    if (command === 'query-block') {
      return disks.map(({ id, ro }) => ({
        qdev: device(id),
        inserted: { ro, 'node-name': `node-${id}` },
      }));
    }
    if (command === 'qom-get') return disks.find(({ id }) => device(id) === args.path)?.serial;
    return others[command] ?? {};
  };
  const execute = async (command: string, args: object, schema: z.ZodType): Promise<unknown> => {
    asked.push([command, args]);
    return schema.parse(answer(command, args));
  };
  return { asked, client: { execute } as unknown as QmpClient };
}

const RATES = { readBps: 1, writeBps: 2, readIops: 3, writeIops: 4 };
const SENT = { bps: 0, bps_rd: 1, bps_wr: 2, iops: 0, iops_rd: 3, iops_wr: 4 };

describe('the writable layer', () => {
  it('finds the writable layer by its serial, prefers a used one, and sets its rates', async () => {
    const { asked, client } = monitor([
      { id: 'layer-0', serial: 'layer-0', ro: true },
      { id: 'changes', serial: 'changes', ro: false },
      { id: 'disk1', serial: 'changes-kept', ro: false },
    ]);
    await throttleDisk(client, RATES);
    const id = '/machine/peripheral/disk1/virtio-backend';
    expect(asked.at(-1)).toEqual(['block_set_io_throttle', { id, ...SENT }]);
    expect(await findDisks(client)).toMatchObject({
      templated: true,
      changes: { serial: 'changes-kept', node: 'node-disk1' },
    });
  });

  it('sets no rates for a microVM without a writable layer', async () => {
    const { asked, client } = monitor([{ id: 'disk0', serial: 'layer-0', ro: true }]);
    await throttleDisk(client, RATES);
    expect(asked.map(([command]) => command)).toEqual(['query-block']);
  });
});

it('reports the size of a microVM with hot-plugged memory and CPUs', async () => {
  const cpus = [{ 'cpu-index': 0 }, { 'cpu-index': 1 }];
  const plugged = { 'base-memory': 5, 'plugged-memory': 7 };
  const { client } = monitor([], {
    'query-memory-size-summary': plugged,
    'query-cpus-fast': cpus,
  });
  expect(await vmSize(client)).toEqual({ cpus: 2, memoryBytes: 12 });
});
