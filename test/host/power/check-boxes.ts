/**
 * What a home has after a power cut of its boxes, their output, disks, volumes and snapshots.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import * as z from 'zod';
import type { Actor } from '../../e2e/actor.ts';
import { expectAllowed, expectPromised, type Promised } from './expect-promised.ts';
import { endlessOutput } from './output-lines.ts';
import { readFromDisk, readWritten } from './read-disk.ts';
import type { ServerApi } from './server-api.ts';

const Boxes = z.array(z.object({ Id: z.string(), Names: z.array(z.string()), State: z.string() }));
const Inspected = z.object({
  State: z.object({ Status: z.string(), ExitCode: z.int() }),
  HostConfig: z.object({
    RestartPolicy: z.object({ Name: z.string(), MaximumRetryCount: z.int() }),
  }),
});
const Snapshots = z.object({
  snapshots: z.array(
    z.object({ id: z.string(), name: z.string(), kind: z.string(), state: z.string() }),
  ),
});
const Volumes = z.object({
  Volumes: z
    .array(z.object({ Name: z.string(), Mountpoint: z.string(), Options: z.unknown() }))
    .nullable(),
});

export interface FoundBox {
  readonly id: string;
  readonly name: string;
}

/** Whatever was promised of boxes is there. */
export async function checkBoxes(
  actor: Actor,
  api: ServerApi,
  promised: Promised,
): Promise<readonly FoundBox[]> {
  const boxes = await listBoxes(api);
  const found = new Map<string, string>();
  for (const { id, name } of boxes) {
    const { State, HostConfig } = Inspected.parse(await api.json(`/containers/${id}/json`));
    found.set(name, `${id} ${policyText(HostConfig.RestartPolicy)}`);
    // Whatever ran has lost its VM.
    expect(['created', 'exited']).toContain(State.Status);
    const exit = promised.ledger.allowed(`exit ${name}`, promised.position);
    if (!exit.includes(undefined)) {
      expect([name, State.Status, String(State.ExitCode)]).toEqual([name, 'exited', exit[0]]);
    }
    await checkOutput(api, { id, name }, promised);
    const file = promised.ledger.allowed(`file ${name}`, promised.position);
    checkFile(`file ${name}`, file, readWritten(join(actor.home, 'boxes', id), 'kept'));
  }
  expectPromised(promised, 'box', found);
  const directories = readdirSync(join(actor.home, 'boxes'));
  expect(directories.sort()).toEqual(boxes.map(({ id }) => id).sort());
  return boxes;
}

export async function listBoxes(api: ServerApi): Promise<readonly FoundBox[]> {
  const listed = Boxes.parse(await api.json('/containers/json?all=1'));
  return listed.map(({ Id, Names }) => ({ id: Id, name: Names[0]?.slice(1) ?? '' }));
}

/** A file that was on its way may be empty: its content was not synced yet. */
function checkFile(
  key: string,
  allowed: readonly (string | undefined)[],
  content: string | undefined,
): void {
  const [promised, ...underWay] = allowed;
  if (underWay.length > 0 || promised === undefined) return;
  expectAllowed(key, allowed, content?.trimEnd());
}

async function checkOutput(
  api: ServerApi,
  { id, name }: FoundBox,
  { ledger, position }: Promised,
): Promise<void> {
  const whole = ledger.allowed(`output ${name}`, position);
  const shown = ledger.allowed(`shown ${name}`, position);
  const [ended, underWay] = whole;
  const text = ended ?? underWay;
  if (text !== undefined) {
    const output = await api.output(id);
    if (whole.includes(undefined)) expect(text.startsWith(output)).toBe(true);
    else expect(output).toBe(text);
  }
  if (shown.length > 1 || shown[0] !== undefined) {
    const output = await api.output(id);
    const written = endlessOutput(output.length);
    expect([name, written.startsWith(output)]).toEqual([name, true]);
    if (!shown.includes(undefined)) {
      expect([name, output.length]).toEqual([name, Math.max(output.length, shown[0]?.length ?? 0)]);
    }
  }
}

/** Memory is gone, and a start from it is refused with that reason. Disks are as they were. */
export async function checkSnapshots(
  actor: Actor,
  api: ServerApi,
  promised: Promised,
): Promise<void> {
  const { snapshots } = Snapshots.parse(await api.json('/a3s/v1/snapshots'));
  expectPromised(promised, 'snapshot', new Map(snapshots.map(({ name, state }) => [name, state])));
  for (const { id, name, kind } of snapshots) {
    const key = `snapshot-file ${name}`;
    const directory = join(actor.home, 'snapshots', id);
    const content = readWritten(directory, 'kept');
    checkFile(key, promised.ledger.allowed(key, promised.position), content);
    if (kind !== 'memory') continue;
    const { code, stderr } = await actor.run(['run', '--from-snapshot', name]);
    expect(code).toBe(125);
    expect(stderr).toContain(`The memory of the snapshot ${name} is gone`);
  }
}

export async function checkVolumes(api: ServerApi, promised: Promised): Promise<void> {
  const { Volumes: listed } = Volumes.parse(await api.json('/volumes'));
  const found = new Map<string, string>();
  for (const { Name, Mountpoint } of listed ?? []) {
    const isDisk = Mountpoint.endsWith('/_disk');
    found.set(Name, isDisk ? 'disk' : 'directory');
    const path = join(Mountpoint, 'kept');
    const content = isDisk
      ? readFromDisk(Mountpoint, 'kept')
      : existsSync(path)
        ? readFileSync(path, 'utf8')
        : undefined;
    const key = `volume-file ${Name}`;
    const allowed = promised.ledger.allowed(key, promised.position);
    if (!allowed.includes(undefined)) expectAllowed(key, allowed, content?.trimEnd());
  }
  expectPromised(promised, 'volume', found);
}

function policyText({
  Name,
  MaximumRetryCount,
}: {
  readonly Name: string;
  readonly MaximumRetryCount: number;
}): string {
  return MaximumRetryCount === 0 ? Name : `${Name}:${MaximumRetryCount}`;
}
