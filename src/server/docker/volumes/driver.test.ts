import { expect, it } from 'vitest';
import { parseDriver } from './driver.ts';

it.each([
  [{}, undefined],
  [{ type: 'disk' }, 10 * 2 ** 30],
  [{ type: 'disk', size: '10G' }, 10 * 2 ** 30],
  [{ type: 'disk', size: '1.5gib' }, 1.5 * 2 ** 30],
  [{ type: 'disk', size: '64m' }, 64 * 2 ** 20],
  [{ type: 'disk', size: '65536k' }, 64 * 2 ** 20],
  [{ type: 'disk', size: String(32 * 2 ** 20) }, 32 * 2 ** 20],
])('reads the options %j', (options, diskBytes) => {
  for (const driver of ['', 'local']) {
    expect(parseDriver(driver, options)).toEqual({
      ...{ options },
      ...(diskBytes === undefined ? {} : { diskBytes }),
    });
  }
});

it.each(['bind', 'rbind'])('reads o=%s as a directory of the host', (o) => {
  const options = { type: 'none', o, device: '/srv//data/' };
  expect(parseDriver('local', options)).toEqual({ options, device: '/srv/data/' });
});

it.each([
  ['nfs', {}, 'no-such-driver', 'plugin "nfs" not found'],
  ['local', { type: 'disk', foo: '1' }, 'unsupported-option', 'invalid option: "foo"'],
  ['local', { size: '1g' }, 'unsupported-option', 'the option size belongs to a type'],
  ['local', { type: 'disk', o: 'noatime' }, 'unsupported-option', 'the option o does not belong'],
  ['local', { type: 'disk', device: '/dev/sda' }, 'unsupported-option', 'the option device'],
  ['local', { type: 'tmpfs', device: 'tmpfs' }, 'unsupported-option', 'the type tmpfs'],
  ['local', { type: 'none', device: '/x' }, 'unsupported-option', 'o= of type=none'],
  ['local', { type: 'none', o: 'bind,ro', device: '/x' }, 'unsupported-option', 'o=bind,ro'],
  ['local', { type: 'none', o: 'bind' }, 'invalid-argument', 'device must be an absolute path'],
  ['local', { type: 'none', o: 'bind', device: 'x' }, 'invalid-argument', "and not 'x'"],
  ['local', { type: 'none', o: 'bind', device: '/x', size: '1g' }, 'unsupported-option', 'size'],
  ['local', { type: 'nfs', o: 'addr=1.2.3.4' }, 'unsupported-option', 'the type nfs'],
  ['local', { type: 'disk', size: 'much' }, 'invalid-argument', "invalid size: 'much'"],
  ['local', { type: 'disk', size: '-1g' }, 'invalid-argument', 'invalid size'],
  ['local', { type: 'disk', size: '31m' }, 'invalid-argument', 'from 33554432'],
  ['local', { type: 'disk', size: '9t' }, 'invalid-argument', 'to 8796093022208 bytes'],
])('refuses the driver %s with the options %j', (driver, options, code, message) => {
  expect(() => parseDriver(driver, options)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(message) }),
  );
});
