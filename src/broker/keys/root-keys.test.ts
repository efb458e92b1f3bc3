import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { describeRootKeys } from '../testing/root-keys-contract.ts';
import { createRootKeyFile, openRootKeyFile } from './file-root-keys.ts';

let directory: string;
let count = 0;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-root-keys-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describeRootKeys('in a file', {
  create: async () => {
    count += 1;
    const path = join(directory, `${count}.key`);
    await createRootKeyFile(path);
    return { open: () => openRootKeyFile(path) };
  },
});
