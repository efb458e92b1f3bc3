/**
 * The invariants of a home after a power cut at any moment.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import * as z from 'zod';
import type { Actor } from '../../e2e/actor.ts';
import type { Ledger } from './ledger.ts';
import { forgetMemory } from './power-off.ts';
import { ServerApi } from './server-api.ts';

const Images = z.array(z.object({ Id: z.string(), RepoTags: z.array(z.string()) }));
const Boxes = z.array(z.object({ Id: z.string(), Names: z.array(z.string()), State: z.string() }));
const Inspected = z.object({
  State: z.object({ Status: z.string(), ExitCode: z.int() }),
  HostConfig: z.object({
    RestartPolicy: z.object({ Name: z.string(), MaximumRetryCount: z.int() }),
  }),
});
const Pools = z.object({ pools: z.array(z.object({ name: z.string(), size: z.int() })) });
const Templates = z.object({ templates: z.array(z.object({ id: z.string() })) });
const Snapshots = z.object({
  snapshots: z.array(z.object({ name: z.string(), state: z.string() })),
});

/** What a home holds that has neither images nor boxes, beside empty directories. */
const ALWAYS = [
  /^state\.db$/,
  /^server\.log(\.1)?$/,
  /^images\/(oci-layout|index\.json)$/,
  /^(accelerator|cpu-model)\.json$/,
  /^snapshot-memory$/,
  /^boot\/[0-9a-f]{64}\//,
];

export interface Checked {
  readonly images: number;
  readonly boxes: number;
}

export interface CheckOptions {
  readonly ledger: Ledger;
  readonly position: number;
  /** SHA-256 of disks by their names, as they were made. */
  readonly disks: ReadonlyMap<string, string>;
  /** Boxes are started, to see what they had written. */
  readonly startBoxes?: boolean;
}

/** Starts the server on the home, compares all with what was promised, and then removes everything. */
export async function checkHome(actor: Actor, options: CheckOptions): Promise<Checked> {
  forgetMemory(actor);
  await actor.ok(['ps']);
  const api = new ServerApi(actor.socket);
  const images = await checkImages(actor, api, options);
  const boxes = await checkBoxes(actor, api, options);
  await checkPools(api, options);
  await checkTemplates(api, options);
  await checkSnapshots(actor, api, options);
  await removeAll(actor, api);
  await actor.stopServer();
  const left = filesOf(actor.home).filter((path) => !ALWAYS.some((known) => known.test(path)));
  expect(left.join('\n')).toBe('');
  checkDatabase(actor);
  return { images, boxes };
}

/** Those that were promised are there, no others are, and each is whole. */
async function checkImages(
  actor: Actor,
  api: ServerApi,
  { ledger, position, disks }: CheckOptions,
): Promise<number> {
  const listed = Images.parse(await api.json('/images/json'));
  const found = new Map(listed.flatMap(({ Id, RepoTags }) => RepoTags.map((tag) => [tag, Id])));
  expectPromised(ledger, 'image', position, found);
  for (const name of readdirSync(join(actor.home, 'images/blobs/sha256'))) {
    expect(sha256(join(actor.home, 'images/blobs/sha256', name))).toBe(name);
  }
  for (const name of readdirSync(join(actor.home, 'images/erofs'))) {
    expect([name, sha256(join(actor.home, 'images/erofs', name))]).toEqual([name, disks.get(name)]);
  }
  expect(readdirSync(join(actor.home, 'images/staging'))).toEqual([]);
  const disksThere = readdirSync(join(actor.home, 'images/erofs')).length;
  if (listed.length > 0) expect(disksThere).toBeGreaterThan(0);
  for (const { Id } of listed) {
    const archive = await api.bytes('GET', `/images/${Id}/get`);
    expect(archive.length).toBeGreaterThan(0);
  }
  return listed.length;
}

async function checkBoxes(
  actor: Actor,
  api: ServerApi,
  { ledger, position, startBoxes }: CheckOptions,
): Promise<number> {
  const listed = Boxes.parse(await api.json('/containers/json?all=1'));
  const found = new Map<string, string>();
  for (const { Id, Names } of listed) {
    const name = Names[0]?.slice(1) ?? '';
    const { State, HostConfig } = Inspected.parse(await api.json(`/containers/${Id}/json`));
    found.set(name, `${Id} ${policyText(HostConfig.RestartPolicy)}`);
    // Whatever ran has lost its VM.
    expect(['created', 'exited']).toContain(State.Status);
    const exit = ledger.allowed(`exit ${name}`, position);
    if (!exit.includes(undefined)) {
      expect([name, State.Status, String(State.ExitCode)]).toEqual([name, 'exited', exit[0]]);
    }
    await checkOutput(api, Id, ledger.allowed(`output ${name}`, position));
    const file = ledger.allowed(`file ${name}`, position);
    if (startBoxes !== true) continue;
    // Whatever a cut has left of its disk, it starts.
    await actor.ok(['start', Id]);
    if (!file.includes(undefined)) {
      expect(await actor.ok(['exec', Id, 'cat', '/kept'])).toBe(file[0]);
    }
  }
  expectPromised(ledger, 'box', position, found);
  const directories = readdirSync(join(actor.home, 'boxes'));
  expect(directories.sort()).toEqual(listed.map(({ Id }) => Id).sort());
  return listed.length;
}

async function checkOutput(
  api: ServerApi,
  id: string,
  allowed: readonly (string | undefined)[],
): Promise<void> {
  const [promised, underWay] = allowed;
  const whole = promised ?? underWay;
  if (whole === undefined) return;
  const output = await api.output(id);
  if (allowed.includes(undefined)) expect(whole.startsWith(output)).toBe(true);
  else expect(output).toBe(whole);
}

async function checkPools(api: ServerApi, { ledger, position }: CheckOptions): Promise<void> {
  const { pools } = Pools.parse(await api.json('/a3s/v1/pools'));
  const found = new Map(pools.map(({ name, size }) => [name, String(size)]));
  expectPromised(ledger, 'pool', position, found);
}

async function checkTemplates(api: ServerApi, { ledger, position }: CheckOptions): Promise<void> {
  const { templates } = Templates.parse(await api.json('/a3s/v1/templates'));
  const allowed = ledger.allowed('template', position);
  if (!allowed.includes(undefined)) expect(templates.length).toBeGreaterThan(0);
}

/** Their memory is gone, and a start from one is refused with that reason. */
async function checkSnapshots(
  actor: Actor,
  api: ServerApi,
  { ledger, position }: CheckOptions,
): Promise<void> {
  const { snapshots } = Snapshots.parse(await api.json('/a3s/v1/snapshots'));
  const found = new Map(snapshots.map(({ name, state }) => [name, state]));
  expectPromised(ledger, 'snapshot', position, found);
  for (const { name } of snapshots) {
    const { code, stderr } = await actor.run(['run', '--from-snapshot', name]);
    expect(code).toBe(125);
    expect(stderr).toContain(`The memory of the snapshot ${name} is gone`);
    await actor.ok(['snapshot', 'rm', name]);
  }
}

function expectPromised(
  ledger: Ledger,
  kind: string,
  position: number,
  found: ReadonlyMap<string, string>,
): void {
  const keys = ledger.keys.filter((key) => key.startsWith(`${kind} `));
  for (const key of keys) {
    const allowed = ledger.allowed(key, position);
    const value = found.get(key.slice(kind.length + 1));
    const fits = allowed.includes(value) || (value !== undefined && allowed.includes('any'));
    expect([key, fits ? allowed : value]).toEqual([key, allowed]);
  }
  const others = [...found.keys()].filter((name) => !keys.includes(`${kind} ${name}`));
  expect([kind, others]).toEqual([kind, []]);
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

async function removeAll(actor: Actor, api: ServerApi): Promise<void> {
  for (const { Id } of Boxes.parse(await api.json('/containers/json?all=1'))) {
    await api.bytes('DELETE', `/containers/${Id}?force=1`);
  }
  for (const { Id } of Images.parse(await api.json('/images/json'))) {
    await api.bytes('DELETE', `/images/${Id}?force=1`);
  }
  const { templates } = Templates.parse(await api.json('/a3s/v1/templates'));
  for (const { id } of templates) await api.bytes('DELETE', `/a3s/v1/templates/${id}`);
  const { pools } = Pools.parse(await api.json('/a3s/v1/pools'));
  for (const { name } of pools) await api.bytes('DELETE', `/a3s/v1/pools/${name}`);
  const left = ['boxes', 'snapshots', 'templates'].flatMap((name) => {
    const path = join(actor.home, name);
    return existsSync(path) ? readdirSync(path).map((entry) => join(name, entry)) : [];
  });
  expect(left).toEqual([]);
}

function checkDatabase(actor: Actor): void {
  const database = new Database(join(actor.home, 'state.db'), { readonly: true });
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
  } finally {
    database.close();
  }
}

function filesOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

/** Adds the disks of a home that works. */
export function noteDisks(home: string, disks: Map<string, string>): void {
  const directory = join(home, 'images/erofs');
  for (const name of readdirSync(directory)) {
    if (!disks.has(name)) disks.set(name, sha256(join(directory, name)));
  }
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
