import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('runs the example of the README unchanged', async () => {
  const text = readFileSync(join(root, 'sealing/README.md'), 'utf8');
  const [, example = ''] = /^```ts\n([\s\S]*?)^```/m.exec(text) ?? [];
  const vector = JSON.parse(readFileSync(join(root, 'test/vectors/sealing/exact.json'), 'utf8'));
  // The example runs inside of the repository, where the packages resolve.
  mkdirSync(join(root, 'build'), { recursive: true });
  const directory = mkdtempSync(join(root, 'build/sealing-example-'));
  try {
    writeFileSync(join(directory, 'db.sealed'), Buffer.from(vector.envelope, 'base64'));
    writeFileSync(join(directory, 'example.mts'), example);
    const args = ['--conditions=a3s-source', '--import', 'tsx', 'example.mts'];
    const options = { cwd: directory, env: { ...process.env, TSX_DISABLE_CACHE: '1' } };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, options);
    expect({ stdout, stderr }).toEqual({
      stdout: `simulated exact db/key\n${'a1'.repeat(32)}\n`,
      stderr: '',
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
