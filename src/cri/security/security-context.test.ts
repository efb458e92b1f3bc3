import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ALL_CAPABILITIES } from '../../boxes/spec/confinement/capabilities.ts';
import { DEFAULT_CONFINEMENT } from '../../boxes/spec/confinement/confinement.ts';
import {
  NamespaceMode,
  SecurityProfileProfileType,
  SupplementalGroupsPolicy,
} from '../api/enums.ts';
import type { LinuxContainerSecurityContext } from '../api/messages.ts';
import { confinementOf } from './confinement.ts';
import { userOf } from './user.ts';

const { RuntimeDefault, Unconfined, Localhost } = SecurityProfileProfileType;
const { Strict } = SupplementalGroupsPolicy;

/** As a client sends it that asks for nothing else. */
function context(asked: object): LinuxContainerSecurityContext {
  const nothing = {
    ...{ privileged: false, runAsUsername: '', readonlyRootfs: false, supplementalGroups: [] },
    ...{ supplementalGroupsPolicy: 0, noNewPrivs: false, maskedPaths: [], readonlyPaths: [] },
    ...{ apparmorProfile: '', seccompProfilePath: '' },
  };
  return { ...nothing, ...asked } as unknown as LinuxContainerSecurityContext;
}

const confined = (asked: object) => confinementOf(context(asked), 0);
const capabilities = async (add: readonly string[], drop: readonly string[]) =>
  (await confined({ capabilities: { addCapabilities: add, dropCapabilities: drop } })).capabilities;
const usual = DEFAULT_CONFINEMENT.capabilities;

it('adds capabilities to the usual ones, drops others, and drops what is both', async () => {
  expect(await capabilities([], [])).toEqual([...usual].sort());
  expect(await capabilities(['NET_ADMIN'], [])).toEqual([...usual, 'CAP_NET_ADMIN'].sort());
  expect(await capabilities([], ['CHOWN'])).not.toContain('CAP_CHOWN');
  expect(await capabilities(['ALL'], [])).toEqual([...ALL_CAPABILITIES].sort());
  expect(await capabilities(['SYS_TIME'], ['ALL'])).toEqual(['CAP_SYS_TIME']);
  expect(await capabilities(['CHOWN'], ['CHOWN'])).not.toContain('CAP_CHOWN');
});

it('filters system calls by the default profile, one of the node, or none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-seccomp-'));
  const localhostRef = join(directory, 'profile.json');
  writeFileSync(localhostRef, '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}');
  const seccomp = async (asked: object) => (await confined(asked)).seccomp;
  try {
    expect(await seccomp({})).toBe('default');
    expect(await seccomp({ seccomp: { profileType: RuntimeDefault } })).toBe('default');
    expect(await seccomp({ seccomp: { profileType: Unconfined } })).toBe('unconfined');
    expect(await seccomp({ seccomp: { profileType: Localhost, localhostRef } })).toBe('profile');
  } finally {
    rmSync(directory, { recursive: true });
  }
  const missing = { seccomp: { profileType: Localhost, localhostRef } };
  await expect(confined(missing)).rejects.toMatchObject({ code: 'invalid-argument' });
});

it('protects the paths that are named, and the usual ones where none are', async () => {
  expect(await confined({})).toMatchObject({
    maskedPaths: DEFAULT_CONFINEMENT.maskedPaths,
    readonlyPaths: DEFAULT_CONFINEMENT.readonlyPaths,
  });
  expect(await confined({ maskedPaths: ['/a'], readonlyPaths: ['/b'] })).toMatchObject({
    ...{ maskedPaths: ['/a'], readonlyPaths: ['/b'] },
  });
});

it('gives a privileged container all of its guest, whatever filter it names', async () => {
  const seccomp = { profileType: RuntimeDefault };
  expect(await confined({ privileged: true, seccomp })).toMatchObject({
    ...{ privileged: true, seccomp: 'unconfined', maskedPaths: [], readonlyPaths: [] },
    capabilities: [...ALL_CAPABILITIES],
  });
});

it('adds groups to those of the image, or to none of them where the policy is strict', async () => {
  expect(await confined({})).toMatchObject({ groupsPolicy: 'merge' });
  expect(await confined({})).not.toHaveProperty('groups');
  expect(await confined({ supplementalGroups: [9n, 10n] })).toMatchObject({
    ...{ groups: ['9', '10'], groupsPolicy: 'merge' },
  });
  const strict = { supplementalGroups: [9n], supplementalGroupsPolicy: Strict };
  expect(await confined(strict)).toMatchObject({ groups: ['9'], groupsPolicy: 'strict' });
  expect(await confined({ ...strict, privileged: true })).toMatchObject({ groupsPolicy: 'strict' });
  expect(await confinementOf(undefined, 0)).toMatchObject({ groupsPolicy: 'merge' });
  await expect(confined({ supplementalGroupsPolicy: 7 })).rejects.toMatchObject({
    code: 'invalid-argument',
  });
});

it('runs as a user by its number or name, with a group only beside a user', () => {
  expect(userOf(context({}))).toBeUndefined();
  expect(userOf(context({ runAsUser: { value: 7n } }))).toBe('7');
  expect(userOf(context({ runAsUsername: 'app' }))).toBe('app');
  expect(userOf(context({ runAsUser: { value: 7n }, runAsGroup: { value: 8n } }))).toBe('7:8');
  expect(() => userOf(context({ runAsGroup: { value: 8n } }))).toThrow('no user is given');
});

it.each([
  ['apparmor', { apparmor: { profileType: Localhost, localhostRef: 'p' } }],
  ['apparmor', { apparmorProfile: 'localhost/p' }],
  ['add_ambient_capabilities', { capabilities: { addAmbientCapabilities: ['CHOWN'] } }],
  [
    'userns_options',
    {
      namespaceOptions: {
        ...{ network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid: NamespaceMode.CONTAINER },
        usernsOptions: { mode: NamespaceMode.POD },
      },
    },
  ],
])('refuses %s, which no guest can give', async (field, asked) => {
  await expect(confined(asked)).rejects.toMatchObject({
    code: 'unsupported-option',
    message: expect.stringContaining(field),
  });
});
