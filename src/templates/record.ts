/**
 * `template.json`: the inputs of a template, and the expected sizes and digests of its files.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { Damaged } from './damaged.ts';
import { digestOf, TEMPLATE_SCHEMA } from './key.ts';
import { openPrivate } from './private-file.ts';

const RECORD_FILE = 'template.json';
const MAX_RECORD = 256 * 1024;
const MAX_RAM = 2 ** 40;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const StoredFile = z.strictObject({ bytes: z.int().min(0).max(MAX_RAM), sha256: digest });

/** The files of a template beside its record. */
export const TEMPLATE_FILES = ['ram', 'device', 'changes'] as const;

const TemplateRecord = z.strictObject({
  schema: z.literal(TEMPLATE_SCHEMA),
  key: digest,
  inputs: z.record(z.string().max(256), z.string().max(65_536)),
  cpus: z.int().min(1).max(4096),
  /** Of its shape. Those of boxes have none of their own. */
  sparePorts: z.int().min(1).max(32).optional(),
  memoryBytes: z.int().min(1).max(MAX_RAM),
  /** The version of the guest protocol of its copies. */
  protocol: z.int().min(1).max(65_535),
  createdAt: z.iso.datetime().max(64),
  files: z.strictObject({ ram: StoredFile, device: StoredFile, changes: StoredFile }),
});
export type TemplateRecord = z.infer<typeof TemplateRecord>;

/**
 * Reads the record in a template's directory.
 *
 * @throws Damaged for a record that this version did not write for this key
 */
export async function readRecord(directory: string, key: string): Promise<TemplateRecord> {
  const handle = await openPrivate(join(directory, RECORD_FILE));
  let record: TemplateRecord;
  try {
    const { size } = await handle.stat();
    if (size > MAX_RECORD) throw new Damaged(`its record has ${size} bytes`);
    record = parse(await handle.readFile('utf8'));
  } finally {
    await handle.close();
  }
  if (record.key !== key) throw new Damaged('its record is of another template');
  if (digestOf(record.inputs) !== key) throw new Damaged('its record is not what its key says');
  return record;
}

/** Durable when it returns. */
export async function writeRecord(directory: string, record: TemplateRecord): Promise<void> {
  const handle = await open(join(directory, RECORD_FILE), 'wx', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(record, undefined, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function parse(text: string): TemplateRecord {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Damaged('its record is not JSON');
  }
  const schema = z.object({ schema: z.string() }).safeParse(document);
  if (schema.success && schema.data.schema !== TEMPLATE_SCHEMA) {
    throw new Damaged(`it is of the unknown version ${schema.data.schema.slice(0, 64)}`);
  }
  const parsed = TemplateRecord.safeParse(document);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new Damaged(`its record is wrong at ${path === '' ? 'its top' : path.slice(0, 64)}`);
}
