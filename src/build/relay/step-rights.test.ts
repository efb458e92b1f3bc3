import { expect, it } from 'vitest';
import { refuseNetworkMode } from './step-rights.ts';

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
