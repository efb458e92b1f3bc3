import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const COMMAND = /^exec (node .+) "\$@"$/m;

test('npm run test:host loads, in a checkout whose packages are not built, and names what is no file', () => {
  const script = readFileSync(join(ROOT, 'scripts/test-host.sh'), 'utf8');
  const [program, ...args] = (COMMAND.exec(script)?.[1] ?? '').split(' ');
  const { status, stderr } = spawnSync(program ?? '', [...args, 'test/e2e/none.test.ts'], {
    ...{ cwd: ROOT, encoding: 'utf8', timeout: 60_000 },
  });
  expect(stderr).toContain('Error: no files of the vm stage: test/e2e/none.test.ts\n');
  expect(status).toBe(1);
});
