import { describe, expect, it } from 'vitest';
import { type Attempt, conclude, type Report } from './findings.ts';
import type { HostFacts } from './host-facts.ts';

const HOST: HostFacts = {
  ...{ system: 'Debian', kernel: '6.12', architecture: 'x64', node: 'v20', processor: 'EPYC' },
  ...{ processors: 4, memoryBytes: 8e9, virtualization: 'svm', nested: false, kvm: 'open' },
  ...{ user: 'root', container: false, cgroups: 'v2', lsm: 'apparmor', openFiles: '1048576' },
  ...{ home: '/var/lib/a3s-box', freeBytes: 100e9 },
};
const SERVER: Report['server'] = {
  programs: [{ name: 'bwrap', package: 'bubblewrap', path: '/usr/bin/bwrap' }],
  jail: {
    ...{ identity: true, namespaces: true, landlock: true },
    ...{ weakAccepted: false, allRequired: false },
  },
};
const PASSED: Attempt = { engine: 'qemu', accelerator: 'tcg', result: { kernel: '6.12' } };

function failed(way: 'kvm' | 'tcg' | 'krun', code: string): Attempt {
  const engine = way === 'krun' ? { engine: way } : { engine: 'qemu' as const, accelerator: way };
  return { ...engine, failure: { code, message: 'why', remedy: 'do' } };
}

const found = (report: Partial<Parameters<typeof conclude>[0]>) =>
  conclude({ host: HOST, server: SERVER, selfTests: [PASSED], ...report });

describe('findings', () => {
  it('finds nothing where all is well', () => {
    expect(found({})).toEqual([]);
  });

  it('reports an error where no box runs, and the reason of each accelerator', () => {
    const selfTests = [failed('kvm', 'accelerator-unavailable'), failed('tcg', 'vmm-failed')];
    expect(found({ selfTests })).toEqual([
      { severity: 'error', message: 'No box runs with kvm: why', remedy: 'do' },
      { severity: 'error', message: 'No box runs with tcg: why', remedy: 'do' },
    ]);
  });

  it('warns of emulation where there is no KVM, with what to do', () => {
    const selfTests = [failed('kvm', 'accelerator-unavailable'), PASSED];
    expect(found({ selfTests, host: { ...HOST, kvm: 'closed' } })).toMatchObject([
      { severity: 'warning', remedy: expect.stringContaining('group kvm') },
    ]);
    expect(found({ selfTests, host: { ...HOST, kvm: 'absent' } })).toMatchObject([
      { severity: 'warning', remedy: expect.stringContaining('module') },
    ]);
  });

  it('warns of a KVM that opens and runs no box', () => {
    const selfTests = [failed('kvm', 'agent-timeout'), PASSED];
    expect(found({ selfTests })).toEqual([
      { severity: 'warning', message: 'No box runs with kvm: why', remedy: 'do' },
    ]);
  });

  it('names libkrun only where it fails otherwise than by its absence, or is the standard engine', () => {
    const lacks = [PASSED, failed('krun', 'engine-unavailable')];
    expect(found({ selfTests: lacks })).toEqual([]);
    const message = 'No box runs with krun: why';
    const fails = [PASSED, failed('krun', 'agent-timeout')];
    expect(found({ selfTests: fails })).toMatchObject([{ severity: 'warning', message }]);
    const server = { ...SERVER, defaultEngine: { name: 'krun', reason: 'configured' } };
    expect(found({ server, selfTests: lacks })).toMatchObject([{ severity: 'error', message }]);
  });

  it('reports an error where no server answers, and still the facts of the host', () => {
    const server = { failure: { code: 'state-unusable', message: 'broken', remedy: 'mend' } };
    expect(found({ server, selfTests: [], host: { ...HOST, freeBytes: 1e6 } })).toMatchObject([
      { severity: 'error', message: expect.stringContaining('broken'), remedy: 'mend' },
      { severity: 'warning', message: expect.stringContaining('1 MB') },
    ]);
  });

  it('names the packages of missing programs once', () => {
    const programs = ['passt', 'pasta'].map((name) => ({ name, package: 'passt' }));
    expect(found({ server: { ...SERVER, programs } })).toEqual([
      {
        severity: 'warning',
        message: 'Programs are missing: passt, pasta',
        remedy: 'Install them: apt-get install passt',
      },
    ]);
  });

  it('sorts errors before warnings, and takes the lack of any jail for one', () => {
    const jail = { identity: false, namespaces: false, reason: 'refused' };
    const findings = found({
      server: { ...SERVER, jail },
      host: { ...HOST, cgroups: 'v1', openFiles: '1024' },
    });
    expect(findings.map(({ severity }) => severity)).toEqual(['error', 'warning', 'warning']);
    expect(findings[0]?.message).toContain('refused');
  });

  it('warns of the lack of a jail that the administrator has accepted', () => {
    const jail = { identity: false, namespaces: false, reason: 'refused', weakAccepted: true };
    const findings = found({ server: { ...SERVER, jail } });
    expect(findings.map(({ severity }) => severity)).toEqual(['warning']);
  });

  it('finds an error in a jail that lacks namespaces where all features are required', () => {
    const jail = { identity: true, namespaces: false, reason: 'refused', allRequired: true };
    const findings = found({ server: { ...SERVER, jail } });
    expect(findings.map(({ severity }) => severity)).toEqual(['error']);
  });
});
