import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { defaultInit, KrunContext } from './context.ts';
import { KrunError } from './errors.ts';
import { KrunLibrary } from './library.ts';
import { TestLibraries } from './testing/test-library.ts';

const MAC = new Uint8Array([2, 0, 0, 0, 0, 1]);

let libraries: TestLibraries;
let library: KrunLibrary;

beforeAll(() => {
  libraries = new TestLibraries();
  process.env['A3S_KRUN_TEST_RECORD'] = libraries.recordPath;
  process.env['A3S_KRUN_TEST_RUN'] = 'return:22';
  library = KrunLibrary.load('krun', libraries.build());
});

afterAll(() => {
  libraries[Symbol.dispose]();
});

beforeEach(() => {
  libraries.takeRecord();
});

/** The code of what this throws. */
function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof KrunError) return error.code;
    throw error;
  }
  return undefined;
}

describe('KrunLibrary', () => {
  it('hands every value over as it was given', () => {
    const context = KrunContext.create(library);
    context.call('krun_set_vm_config', 255, 0xffff_ffff);
    context.call('krun_add_virtiofs3', 'tag', null, 0xffff_ffff_ffff_ffffn, true);
    context.call('krun_set_exec', '/bin/sh', ['sh', '-c', 'echo "ü"'], null);
    context.call('krun_add_net_unixstream', '/run/passt', -1, MAC, 0, 0);
    context.call('krun_add_disk3', 'vda', '/dev/null', 1, false, true, 2);
    context.free();
    const calls = libraries.takeRecord();
    const id = calls[0]?.result;
    expect(calls.slice(1)).toEqual([
      { call: 'krun_set_vm_config', arguments: [id, 255, 0xffff_ffff], result: 0 },
      {
        call: 'krun_add_virtiofs3',
        // JSON has no 64 bits.
        arguments: [id, 'tag', null, Number(0xffff_ffff_ffff_ffffn), true],
        result: 0,
      },
      {
        call: 'krun_set_exec',
        arguments: [id, '/bin/sh', ['sh', '-c', 'echo "ü"'], null],
        result: 0,
      },
      {
        call: 'krun_add_net_unixstream',
        arguments: [id, '/run/passt', -1, '020000000001', 0, 0],
        result: 0,
      },
      { call: 'krun_add_disk3', arguments: [id, 'vda', '/dev/null', 1, false, true, 2], result: 0 },
      { call: 'krun_free_ctx', arguments: [id], result: 0 },
    ]);
  });

  it.each([
    ['a number that is too large', 256, 1, 'num_vcpus is not between 0 and 255'],
    ['a negative number', 1, -1, 'ram_mib is not between 0 and 4294967295'],
    ['a broken number', 1, 0.5, 'ram_mib is no whole number'],
  ])('refuses %s before it calls libkrun', (_, vcpus, ram, message) => {
    using context = KrunContext.create(library);
    libraries.takeRecord();
    expect(() => context.call('krun_set_vm_config', vcpus, ram)).toThrow(message);
    expect(libraries.takeRecord()).toEqual([]);
  });

  it.each([
    ['contains a NUL', 'a\0b'],
    ['is not well-formed text', 'a\ud800'],
  ])('refuses a text that %s before it calls libkrun', (fault, text) => {
    using context = KrunContext.create(library);
    libraries.takeRecord();
    expect(() => context.call('krun_set_root', text)).toThrow(`root_path ${fault}`);
    expect(() => context.call('krun_set_rlimits', [text])).toThrow(`rlimits has an entry that`);
    expect(libraries.takeRecord()).toEqual([]);
  });

  it('refuses a MAC address of another length, and a longer list than libkrun reads', () => {
    using context = KrunContext.create(library);
    libraries.takeRecord();
    const long = new Uint8Array(7);
    expect(codeOf(() => context.call('krun_set_net_mac', long))).toBe('krun-argument');
    const many = Array.from({ length: 4096 }, () => 'RLIMIT_CORE=0:0');
    expect(codeOf(() => context.call('krun_set_rlimits', many))).toBe('krun-argument');
    expect(libraries.takeRecord()).toEqual([]);
  });

  it('names the errors that libkrun returns, with what they mean there', () => {
    using context = KrunContext.create(library);
    expect(() => context.call('krun_set_vm_config', 0, 1)).toThrow(
      'Cannot set processors and memory: processors or memory are 0 (krun_set_vm_config: EINVAL)',
    );
    expect(codeOf(() => context.call('krun_set_vm_config', 0, 1))).toBe('krun-refused');
    expect(codeOf(() => context.call('krun_add_display', 1, 1))).toBe('krun-not-supported');
  });

  it('refuses a context that was freed or started', async () => {
    const freed = KrunContext.create(library);
    freed.free();
    freed.free();
    expect(codeOf(() => freed.call('krun_set_root', '/'))).toBe('krun-misuse');
    const started = KrunContext.create(library);
    started.call('krun_set_kernel', libraries.kernelPath, 1, null, null);
    await expect(started.startEnter()).rejects.toMatchObject({
      code: 'krun-refused',
      function: 'krun_start_enter',
    });
    await expect(started.startEnter()).rejects.toMatchObject({ code: 'krun-misuse' });
    started.free();
    const names = libraries.takeRecord().map(({ call }) => call);
    expect(names.filter((name) => name === 'krun_free_ctx')).toHaveLength(1);
    expect(names.filter((name) => name === 'krun_set_root')).toHaveLength(0);
  });

  it('keeps the bytes of an overlay file as they were at the call', async () => {
    const context = KrunContext.create(library);
    context.call('krun_set_kernel', libraries.kernelPath, 1, null, null);
    context.call('krun_set_root', '/');
    const bytes = new Uint8Array(64).fill(7);
    context.call('krun_fs_add_overlay_file', '/dev/root', 'f', bytes, 0o644, false);
    bytes.fill(8);
    // Otherwise the library would end the process here.
    await expect(context.startEnter()).rejects.toMatchObject({ errno: 'EINVAL' });
  });

  it('says that there is no kernel when neither one was set nor libkrunfw found', async () => {
    await expect(KrunContext.create(library).startEnter()).rejects.toThrow('no kernel');
  });

  it('hands out a copy of its init', () => {
    const init = defaultInit(library);
    expect(Buffer.from(init).toString('latin1')).toContain('init of the test library');
    init.fill(0);
    expect(defaultInit(library)).not.toEqual(init);
  });

  it('opens its log once', () => {
    const fresh = KrunLibrary.load('krun', libraries.build());
    fresh.call('krun_init_log', 2, 1, 2, 1);
    expect(codeOf(() => fresh.call('krun_init_log', 2, 1, 2, 1))).toBe('krun-misuse');
  });
});

describe('the report on a library', () => {
  const reportOf = (path: string) => KrunLibrary.load('krun', path).report();

  it('names what the ordinary build lacks, and its features', () => {
    const report = library.report();
    expect(report).toMatchObject({ atLeast: '1.19.0', maxVcpus: 288 });
    expect(report.missing.map(({ name }) => name)).toEqual([
      'krun_set_tee_config_file',
      'krun_add_vhost_user_device',
    ]);
    expect(report.features).toMatchObject({ net: true, blk: true, tee: false, 'init-blob': true });
  });

  it('names an older release, and does not call what it lacks', () => {
    const old = KrunLibrary.load('krun', libraries.build({ release: 11600 }));
    expect(old.report()).toMatchObject({ atLeast: '1.16.0', features: undefined });
    expect(old.has('krun_add_disk3')).toBe(false);
    using context = KrunContext.create(old);
    expect(() => context.call('krun_add_vsock', 0)).toThrow(
      /Cannot add a vsock device: .* has no krun_add_vsock: libkrun is older than 1\.17\.0/,
    );
    expect(codeOf(() => context.call('krun_add_vsock', 0))).toBe('krun-function-missing');
  });

  it('takes functions that a build leaves out for no sign of an older release', () => {
    const without = reportOf(libraries.build({ without: ['NET', 'BLK'] }));
    expect(without).toMatchObject({ atLeast: '1.19.0', features: { net: false, blk: false } });
    expect(without.missing).toContainEqual({
      name: 'krun_add_net_tap',
      reason: 'libkrun is older than 1.15.0, or libkrun was compiled without NET=1',
    });
    const tee = reportOf(libraries.build({ tee: true }));
    expect(tee).toMatchObject({ atLeast: '1.19.0', features: { tee: true, 'amd-sev': true } });
    expect(tee.missing.map(({ name }) => name)).toContain('krun_set_root');
  });

  it('takes what a build exports and refuses always for missing', () => {
    const there = reportOf(libraries.build({ vhostUser: true }));
    expect(there).toMatchObject({ atLeast: '1.19.0' });
    expect(there.missing.map(({ name }) => name)).toEqual(['krun_set_tee_config_file']);
    const refused = reportOf(libraries.build({ vhostUser: false }));
    expect(refused.missing).toContainEqual({
      name: 'krun_add_vhost_user_device',
      reason: 'no release of libkrun has it yet, or libkrun was compiled without VHOST_USER=1',
    });
  });

  it('gets no kernel into a build for confidential guests', () => {
    const tee = KrunLibrary.load('krun', libraries.build({ tee: true }));
    using context = KrunContext.create(tee);
    expect(() => context.call('krun_set_kernel', '/dev/null', 1, null, null)).toThrow(
      'measure a kernel of their own',
    );
  });
});

describe('KrunLibrary.load', () => {
  it.each([
    ['is not there', '/nowhere/libkrun.so.1', 'Cannot load libkrun: '],
    ['is another', '/lib/x86_64-linux-gnu/libc.so.6', 'has no function of libkrun'],
    ['has a path that is not absolute', 'libkrun.so.1', 'the path is not absolute'],
  ])('refuses a library that %s', (_, path, message) => {
    expect(() => KrunLibrary.load('krun', path)).toThrow(message);
    expect(codeOf(() => KrunLibrary.load('krun', path))).toBe('krun-library-missing');
  });
});
