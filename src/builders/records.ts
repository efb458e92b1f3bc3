/**
 * Which box is which builder, and its authority: a file for each in A3S_HOME, so that a later
 * server finds the builders that still run.
 *
 * @module
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { removeDurably, renameDurably } from '../durable.ts';

const BuilderRecord = z.strictObject({
  name: z.string(),
  /** Id of its box. */
  box: z.string(),
  authority: z.strictObject({ certificate: z.string(), privateKey: z.string() }),
});
export type BuilderRecord = z.infer<typeof BuilderRecord>;

const SUFFIX = '.json';

export class BuilderRecords {
  readonly #directory: string;

  constructor(home: string) {
    this.#directory = join(home, 'builders');
  }

  async list(): Promise<readonly BuilderRecord[]> {
    const files = await readdir(this.#directory).catch(() => []);
    const names = files.filter((file) => file.endsWith(SUFFIX));
    const records = await Promise.all(names.map((file) => this.get(file.slice(0, -SUFFIX.length))));
    return records.filter((record) => record !== undefined);
  }

  /** Undefined also where a record cannot be read: its builder is started anew. */
  async get(name: string): Promise<BuilderRecord | undefined> {
    try {
      const text = await readFile(this.#path(name), 'utf8');
      const record = BuilderRecord.parse(JSON.parse(text));
      return record.name === name ? record : undefined;
    } catch {
      return undefined;
    }
  }

  async put(record: BuilderRecord): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const path = this.#path(record.name);
    await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600, flush: true });
    await renameDurably(`${path}.new`, path);
  }

  async remove(name: string): Promise<void> {
    await removeDurably(this.#path(name));
  }

  #path(name: string): string {
    return join(this.#directory, `${name}${SUFFIX}`);
  }
}
