import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AUDIT_KEY,
  openTestStore,
  type TestDirectory,
  testDirectory,
} from '../testing/fixtures.ts';
import { exportLog } from './audit-log.ts';
import { verifyExport } from './verify-export.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await testDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

function file(name: string, content: string): string {
  const path = join(directory.path, name);
  writeFileSync(path, content);
  return path;
}

const publicKey = () =>
  file('key.pem', String(createPublicKey(AUDIT_KEY).export({ type: 'spki', format: 'pem' })));

/** Lines of a log with five entries and a checkpoint after the third. */
async function exported(): Promise<string[]> {
  await using open = await openTestStore(directory, 3);
  for (let n = 0; n < 5; n += 1) {
    await open.store.transaction((transaction) =>
      open.audit.append(transaction, { actor: 'admin:test', action: 'test', details: { n } }),
    );
  }
  const lines: string[] = [];
  for await (const line of exportLog(open.store)) lines.push(line);
  return lines;
}

const verify = (lines: readonly string[], checkpoint?: string) =>
  verifyExport({ log: file('log', lines.join('')), key: publicKey(), checkpoint });

describe('an exported audit log', () => {
  it('verifies an exported log with its own checkpoints, and with one that was kept', async () => {
    const lines = await exported();
    const good = { entries: 5, signed: 3 };
    expect(await verify(lines)).toEqual(good);
    expect(await verify(lines.slice(0, 5), file('kept', lines[5] ?? ''))).toEqual(good);
    expect(await verify(lines.slice(0, 5))).toEqual({ entries: 5, signed: 0 });
  });

  it('verifies a log that grew while it was exported', async () => {
    await using open = await openTestStore(directory, 3);
    const append = () =>
      open.store.transaction((transaction) =>
        open.audit.append(transaction, { actor: 'admin:test', action: 'test' }),
      );
    for (let n = 0; n < 4; n += 1) await append();
    const lines: string[] = [];
    for await (const line of exportLog(open.store)) {
      if (lines.length < 4) await append();
      lines.push(line);
    }
    expect(await verify(lines)).toEqual({ entries: 4, signed: 3 });
  });

  it('names the first entry that a kept checkpoint covers and the log has not', async () => {
    const lines = await exported();
    const verdict = await verify(lines.slice(0, 2), file('kept', lines[5] ?? ''));
    expect(verdict.problem).toMatchObject({ seq: 3 });
  });

  it.each([
    ['a line of text', 'nothing\n'],
    ['an entry with more members', '{"seq":3,"body":"{}","hash":"","more":1}\n'],
    ['an empty line', '\n'],
  ])('takes %s for a bad entry', async (_, line) => {
    const lines = await exported();
    expect((await verify([...lines.slice(0, 2), line, ...lines.slice(2)])).problem).toMatchObject({
      seq: 3,
    });
  });

  it('refuses files that are missing, and a key or checkpoint that is none', async () => {
    const log = file('log', (await exported()).join(''));
    const key = publicKey();
    const refused = { code: 'broker-config' };
    const missing = join(directory.path, 'missing');
    await expect(verifyExport({ log: missing, key })).rejects.toMatchObject(refused);
    await expect(verifyExport({ log, key: missing })).rejects.toMatchObject(refused);
    await expect(verifyExport({ log, key: log })).rejects.toMatchObject(refused);
    await expect(verifyExport({ log, key, checkpoint: key })).rejects.toMatchObject(refused);
  });
});
