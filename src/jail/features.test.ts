import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hasIds, probeFeatures } from './features.ts';

it.each([
  ['the host', '         0          0 4294967295\n', true],
  ['a namespace with all ids of another', '0 100000 65536\n65536 2000000000 2147483647\n', true],
  ['an ordinary user’s namespace with one id', '         0      64321          1\n', false],
  ['one with those of /etc/subuid', '0 1000 1\n1 100000 65536\n', false],
])('knows whether %s has the ids of jails', (_, map, has) => {
  expect(hasIds(map)).toBe(has);
});

it('builds no jail that a killed server would leave half built', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'a3s-features-'));
  try {
    // The first program of the jail, with the command lines of all others as its arguments.
    const [prlimit, calls] = [join(directory, 'prlimit'), join(directory, 'calls')];
    await writeFile(prlimit, `#!/bin/sh\nprintf '%s\\n' "$*" >> ${calls}\n`, { mode: 0o755 });
    const found = await probeFeatures({
      ...{ prlimit, bwrap: '/usr/bin/bwrap', setpriv: '/usr/bin/setpriv' },
      ...{ nsenter: '/usr/bin/nsenter', taskset: '/usr/bin/taskset' },
      ...{ roots: new Map(), hardLimits: new Map() },
    });
    expect(found).toMatchObject({ namespaces: true, landlock: true });
    const lines = (await readFile(calls, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).not.toMatch(/--die-with-parent|--pdeathsig/);
  } finally {
    await rm(directory, { recursive: true });
  }
});
