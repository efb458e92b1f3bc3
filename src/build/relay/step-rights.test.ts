import { expect, it } from 'vitest';
import { refuseControlGroup, refuseNetworkMode } from './step-rights.ts';

it.each(['', 'default', 'bridge', 'none'])('lets steps have the network "%s"', (mode) => {
  expect(() => refuseNetworkMode(mode)).not.toThrow();
});

it.each(['host', 'container:builder', 'HOST', 'other'])('refuses steps the network %s', (mode) => {
  expect(() => refuseNetworkMode(mode)).toThrow(
    expect.objectContaining({
      code: 'unsupported-option',
      message: `Cannot give the steps of a build the network ${mode}: they have the network of a container or none`,
    }),
  );
});

it('lets steps be in no control group but that of all steps', () => {
  expect(() => refuseControlGroup('')).not.toThrow();
  expect(() => refuseControlGroup('/docker')).toThrow(
    expect.objectContaining({
      code: 'unsupported-option',
      message:
        'Cannot give the steps of a build the control group /docker: all steps of a builder are in one, which bounds them',
    }),
  );
});
