import { expect, it } from 'vitest';
import { NO_SECURITY } from '../record/security.ts';
import type { Found } from './describe-vm.ts';
import { reasonToBoot } from './run-box.ts';

const FOUND: Found = {
  boot: { kernelPath: '/kernel', initrdPath: '/initrd', commandLine: [] },
  ...{ layers: [], shares: [], mounts: [], mountDisks: [], keptChanges: false },
};

function reasonFor(...paths: readonly string[]): string | undefined {
  const devices = paths.map((path) => ({ path, permissions: 'rwm' }));
  return reasonToBoot(FOUND, { security: { ...NO_SECURITY, devices } });
}

it('boots a privileged box, whose drivers no template has loaded', () => {
  expect(reasonToBoot(FOUND, { security: { ...NO_SECURITY, privileged: true } })).toBe(
    'a privileged box has drivers that a template has not loaded',
  );
});

it('boots a box with /dev/net/tun, whose driver no template has loaded, and no box for /dev/fuse', () => {
  expect(reasonFor()).toBeUndefined();
  expect(reasonFor('/dev/fuse')).toBeUndefined();
  expect(reasonFor('/dev/fuse', '/dev/net/tun')).toBe(
    '/dev/net/tun needs a driver that a template has not loaded',
  );
});
