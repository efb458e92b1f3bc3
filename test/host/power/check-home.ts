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
import {
  checkBoxes,
  checkSnapshots,
  checkVolumes,
  type FoundBox,
  listBoxes,
} from './check-boxes.ts';
import { expectAllowed, expectPromised, type Promised } from './expect-promised.ts';
import { explainedPolicy } from './explained-policy.ts';
import { forgetMemory } from './power-off.ts';
import type { Random } from './random.ts';
import { ServerApi } from './server-api.ts';

const Images = z.array(z.object({ Id: z.string(), RepoTags: z.array(z.string()) }));
const Pools = z.object({ pools: z.array(z.object({ name: z.string(), size: z.int() })) });
const Templates = z.object({ templates: z.array(z.object({ id: z.string() })) });
const Snapshots = z.object({ snapshots: z.array(z.object({ name: z.string() })) });
const Volumes = z.object({ Volumes: z.array(z.object({ Name: z.string() })).nullable() });
/** The digests of a template's files, as its record has them. */
const Template = z.object({ files: z.record(z.string(), z.object({ sha256: z.string() })) });

/** What a home holds that has neither images nor boxes, beside empty directories. */
const ALWAYS = [
  /^state\.db$/,
  /^state\.reserve$/,
  /^server\.log(\.1)?$/,
  /^images\/(oci-layout|index\.json)$/,
  /^(accelerator|cpu-model)\.json$/,
  /^snapshot-memory$/,
  /^boot\/[0-9a-f]{64}\//,
  /^image-policy\.yaml(\.new)?$/,
];

export interface Checked {
  readonly images: number;
  readonly boxes: number;
}

export interface CheckOptions extends Promised {
  /** SHA-256 of disks by their names, as they were made. */
  readonly disks: ReadonlyMap<string, string>;
  /** One of the boxes is started, chosen by it. */
  readonly start: Random | undefined;
}

/**
 * Starts the server on the home, compares all with what was promised, and then removes everything.
 */
export async function checkHome(actor: Actor, options: CheckOptions): Promise<Checked> {
  forgetMemory(actor);
  await actor.ok(['ps']);
  const api = new ServerApi(actor.socket);
  const images = await checkImages(actor, api, options);
  const boxes = await checkBoxes(actor, api, options);
  await checkPools(api, options);
  await checkTemplates(actor, api, options);
  await checkSnapshots(actor, api, options);
  await checkVolumes(api, options);
  await checkImagePolicy(actor, options);
  if (boxes.length > 0 && options.start !== undefined) {
    await checkStart(actor, options.start.pick(boxes), options);
  }
  await removeAll(actor, api);
  await actor.stopServer();
  const left = filesOf(actor.home).filter((path) => !ALWAYS.some((known) => known.test(path)));
  expect(left.join('\n')).toBe('');
  checkDatabase(actor);
  return { images, boxes: boxes.length };
}

/** Those that were promised are there, no others are, and each is whole. */
async function checkImages(actor: Actor, api: ServerApi, options: CheckOptions): Promise<number> {
  const { disks } = options;
  const listed = Images.parse(await api.json('/images/json'));
  const found = new Map(listed.flatMap(({ Id, RepoTags }) => RepoTags.map((tag) => [tag, Id])));
  expectPromised(options, 'image', found);
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

/** Whatever a cut has left of its disk, it starts, with the file that was promised. */
async function checkStart(actor: Actor, { id, name }: FoundBox, promised: Promised): Promise<void> {
  await actor.ok(['start', id]);
  const file = promised.ledger.allowed(`file ${name}`, promised.position);
  if (file.length !== 1 || file[0] === undefined) return;
  expect(await actor.ok(['exec', id, 'cat', '/kept'])).toBe(file[0]);
}

async function checkPools(api: ServerApi, options: CheckOptions): Promise<void> {
  const { pools } = Pools.parse(await api.json('/a3s/v1/pools'));
  const found = new Map(pools.map(({ name, size }) => [name, String(size)]));
  expectPromised(options, 'pool', found);
}

/** Each is whole, whatever the next start makes of one that is not. */
async function checkTemplates(
  actor: Actor,
  api: ServerApi,
  { ledger, position }: CheckOptions,
): Promise<void> {
  const { templates } = Templates.parse(await api.json('/a3s/v1/templates'));
  const allowed = ledger.allowed('template', position);
  if (!allowed.includes(undefined)) expect(templates.length).toBeGreaterThan(0);
  for (const { id } of templates) {
    const directory = join(actor.home, 'templates', id);
    const record = Template.parse(
      JSON.parse(readFileSync(join(directory, 'template.json'), 'utf8')),
    );
    for (const [name, file] of Object.entries(record.files)) {
      expect([id, name, sha256(join(directory, name))]).toEqual([id, name, file.sha256]);
    }
  }
}

/** The next server decides by the policy that the last one decided by. */
async function checkImagePolicy(actor: Actor, { ledger, position }: CheckOptions): Promise<void> {
  const allowed = ledger.allowed('image-policy', position);
  if (allowed.includes(undefined)) return;
  const found = await explainedPolicy((args) => actor.run(args));
  expectAllowed('image-policy', allowed, found);
}

async function removeAll(actor: Actor, api: ServerApi): Promise<void> {
  for (const { id } of await listBoxes(api)) await api.bytes('DELETE', `/containers/${id}?force=1`);
  for (const { Id } of Images.parse(await api.json('/images/json'))) {
    await api.bytes('DELETE', `/images/${Id}?force=1`);
  }
  const { snapshots } = Snapshots.parse(await api.json('/a3s/v1/snapshots'));
  for (const { name } of snapshots) await api.bytes('DELETE', `/a3s/v1/snapshots/${name}`);
  const { templates } = Templates.parse(await api.json('/a3s/v1/templates'));
  for (const { id } of templates) await api.bytes('DELETE', `/a3s/v1/templates/${id}`);
  const { pools } = Pools.parse(await api.json('/a3s/v1/pools'));
  for (const { name } of pools) await api.bytes('DELETE', `/a3s/v1/pools/${name}`);
  const { Volumes: volumes } = Volumes.parse(await api.json('/volumes'));
  for (const { Name } of volumes ?? []) await api.bytes('DELETE', `/volumes/${Name}`);
  const left = ['boxes', 'snapshots', 'templates', 'volumes'].flatMap((name) => {
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
