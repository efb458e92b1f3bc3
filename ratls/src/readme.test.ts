import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { agentServer } from './testing/agent-server.ts';
import { guestSource, policyFor } from './testing/simulated-source.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('runs the example of the README unchanged', async () => {
  const text = readFileSync(join(root, 'ratls/README.md'), 'utf8');
  const [, example = ''] = /^```ts\n([\s\S]*?)^```/m.exec(text) ?? [];
  expect(example.trim().split('\n').length).toBeLessThanOrEqual(11);
  // The example runs inside of the repository, where the packages resolve.
  mkdirSync(join(root, 'build'), { recursive: true });
  const directory = mkdtempSync(join(root, 'build/ratls-example-'));
  await using box = await agentServer({ source: guestSource({ now: new Date() }) });
  try {
    const { measurements } = policyFor();
    const policy = { tee: 'simulated', measurements, hostData: 'any-explicit' };
    const document = JSON.stringify({ ...policy, crl: { required: false } });
    writeFileSync(join(directory, 'policy.yaml'), document);
    writeFileSync(join(directory, 'example.mts'), example.replace('8443', `${box.port}`));
    const args = ['--conditions=a3s-source', '--import', 'tsx', 'example.mts'];
    const options = { cwd: directory, env: { ...process.env, TSX_DISABLE_CACHE: '1' } };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, options);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^test [0-9a-f]{64}\n200\n$/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
