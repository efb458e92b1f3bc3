import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesWith } from '../e2e/processes.ts';
import { EmulatedHost, type HostSpec } from './emulated-host.ts';
import { hostInitrd, ROOT_TAG, sharedRoot } from './initrd.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('an emulated host', () => {
  let directory: string;
  let spec: HostSpec;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'a3s-host-test-'));
    const initrd = join(directory, 'initrd');
    writeFileSync(initrd, await hostInitrd({ script: sharedRoot() }));
    spec = {
      kernel: join(ROOT, 'dist/boot/vmlinux'),
      initrd,
      memoryMiB: 1024,
      shares: [{ tag: ROOT_TAG, path: '/' }],
    };
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
    expect(processesWith(directory)).toEqual([]);
  });

  it('an emulated host has KVM, sees the checkout, and writes nothing of the real host', async () => {
    await using host = await EmulatedHost.start(spec);
    await host.ready();
    expect(await host.sh('test -c /dev/kvm && echo yes')).toBe('yes');
    expect(await host.sh(`ls ${ROOT}/package.json`)).toBe(`${ROOT}/package.json`);
    const own = join(directory, 'own');
    await host.sh(
      `mkdir -p ${directory}; echo mine > ${own}; echo mine > ${ROOT}/not-on-this-machine`,
    );
    expect(existsSync(own)).toBe(false);
    expect(existsSync(join(ROOT, 'not-on-this-machine'))).toBe(false);
    await host.powerOff();
  });

  it('an emulated host resumes from its memory, with its files and processes', async () => {
    const memory = join(directory, 'memory');
    {
      await using host = await EmulatedHost.start(spec);
      await host.ready();
      await host.sh('echo kept > /tmp/kept; (setsid sleep 100000 >/dev/null 2>&1 </dev/null &)');
      await host.saveMemory(memory);
    }
    await using host = await EmulatedHost.start({ ...spec, memory });
    await host.ready();
    expect(await host.sh('cat /tmp/kept; pgrep -c sleep')).toBe('kept\n1');
  });

  it('an emulated host that loses power rejects running commands', async () => {
    await using host = await EmulatedHost.start(spec);
    await host.ready();
    const cut = host.run(['sleep', '1000']);
    const lost = expect(cut).rejects.toThrow('the emulated host is gone');
    await host.kill();
    await lost;
    await host.ended;
  });
});
