import { expect, it } from 'vitest';
import { takeServiceManager } from './environment.ts';

const SAID = {
  ...{ NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '3000000', WATCHDOG_PID: '7' },
  ...{ LISTEN_FDS: '2', LISTEN_PID: '7', LISTEN_FDNAMES: 'a:b' },
};

it('reads the service manager’s variables for this process, and removes them', () => {
  const env = { ...SAID, PATH: '/bin' };
  expect(takeServiceManager(env, 7)).toEqual({
    ...{ notifySocket: '/run/notify', watchdogMs: 3000, listening: [3, 4] },
  });
  expect(env).toEqual({ PATH: '/bin' });
});

it('ignores the service manager’s variables for another process', () => {
  const env = { ...SAID };
  expect(takeServiceManager(env, 8)).toEqual({
    ...{ notifySocket: '/run/notify', watchdogMs: undefined, listening: [] },
  });
  expect(env).toEqual({});
});

it('accepts an environment without a service manager', () => {
  expect(takeServiceManager({}, 7)).toEqual({
    ...{ notifySocket: undefined, watchdogMs: undefined, listening: [] },
  });
  // Without LISTEN_PID the sockets belong to no process.
  expect(takeServiceManager({ LISTEN_FDS: '1' }, 7).listening).toEqual([]);
  expect(takeServiceManager({ NOTIFY_SOCKET: 'vsock:2:1' }, 7).notifySocket).toBeUndefined();
  expect(takeServiceManager({ WATCHDOG_USEC: '0' }, 7).watchdogMs).toBeUndefined();
});

it.each([
  ['WATCHDOG_USEC', '-1'],
  ['WATCHDOG_USEC', '1e3'],
  ['LISTEN_FDS', '17'],
  ['LISTEN_FDS', 'three'],
])('refuses an invalid variable of the service manager: %s=%s', (name, value) => {
  const env = { ...SAID, [name]: value };
  expect(() => takeServiceManager(env, 7)).toThrow(
    expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining(name) }),
  );
});
