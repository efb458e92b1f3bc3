/**
 * Docker's `--device-cgroup-rule`, as in the kernel's list of devices of version 1:
 * `TYPE MAJOR:MINOR ACCESS`.
 *
 * @module
 */
import type { Confinement } from '@a3s-box/policies';
import { A3sError } from '../../../errors.ts';

type DeviceRule = NonNullable<Confinement['deviceRules']>[number];

const RULE = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/;
const KINDS = { a: 'all', b: 'block', c: 'char' } as const;
/** Far above the kernel's numbers. */
const MAX_NUMBER = 2 ** 31 - 1;

/** @throws A3sError `invalid-argument` in Docker's words */
export function readDeviceRule(text: string): DeviceRule {
  const [, type, major = '', minor = '', access = ''] = RULE.exec(text) ?? [];
  if (type !== 'a' && type !== 'b' && type !== 'c') {
    throw invalid(`invalid device cgroup rule format: '${text.slice(0, 64)}'`);
  }
  return {
    kind: KINDS[type],
    ...(major === '*' ? {} : { major: readNumber('major', major, text) }),
    ...(minor === '*' ? {} : { minor: readNumber('minor', minor, text) }),
    access,
  };
}

function readNumber(name: 'major' | 'minor', digits: string, rule: string): number {
  if (Number(digits) <= MAX_NUMBER) return Number(digits);
  throw invalid(`invalid ${name} value in device cgroup rule format: '${rule.slice(0, 64)}'`);
}

function invalid(message: string): A3sError {
  return new A3sError('invalid-argument', message);
}
