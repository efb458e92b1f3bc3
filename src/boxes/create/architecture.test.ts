import { expect, it } from 'vitest';
import { emulationWarning, foreignArchitecture } from './architecture.ts';

const HOST = { architecture: 'amd64' };
const ARM = { architecture: 'arm64' };
const asked = (securityOpt: readonly string[] = [], confidential?: object) =>
  ({ confidential, security: { securityOpt } }) as Parameters<typeof foreignArchitecture>[2];

it('says that a box is of another architecture than its host', () => {
  expect(foreignArchitecture(ARM, HOST, asked())).toBe('arm64');
  expect(foreignArchitecture(HOST, HOST, asked())).toBeUndefined();
  expect(foreignArchitecture(ARM, ARM, asked())).toBeUndefined();
  expect(emulationWarning('arm64', HOST)).toContain('linux/arm64 and this host of linux/amd64');
});

it('refuses a confidential box of arm64 by the name of the processor that it needs', () => {
  expect(() => foreignArchitecture(ARM, HOST, asked([], { tee: 'snp' }))).toThrow(
    'SEV-SNP is of x86-64 processors',
  );
  expect(foreignArchitecture(HOST, HOST, asked([], { tee: 'snp' }))).toBeUndefined();
});

it.each(['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}', 'seccomp:{}'])(
  'refuses a seccomp profile of its own for a box of arm64: %s',
  (option) => {
    expect(() => foreignArchitecture(ARM, HOST, asked([option]))).toThrow(/read for x86-64/);
  },
);

it.each(['seccomp=unconfined', 'seccomp=builtin', 'seccomp='])(
  'takes %s for a box of arm64',
  (option) => {
    expect(foreignArchitecture(ARM, HOST, asked([option]))).toBe('arm64');
  },
);
