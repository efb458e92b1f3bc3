import { describe, expect, it } from 'vitest';
import { readSecurityOpt } from './security-opt.ts';

describe('readSecurityOpt', () => {
  it.each([
    [[], { noNewPrivileges: false, seccomp: undefined }],
    [['no-new-privileges'], { noNewPrivileges: true }],
    [['no-new-privileges=true'], { noNewPrivileges: true }],
    [['no-new-privileges:1'], { noNewPrivileges: true }],
    [['no-new-privileges', 'no-new-privileges:false'], { noNewPrivileges: false }],
    [['seccomp=unconfined'], { seccomp: 'unconfined' }],
    [['seccomp:unconfined'], { seccomp: 'unconfined' }],
    [['seccomp=builtin'], { seccomp: 'default' }],
    [['seccomp='], { seccomp: 'default' }],
    [['seccomp={\n"a": "b=c"}'], { seccomp: '{\n"a": "b=c"}' }],
    [['label=disable', 'label:user:me', 'label=level:s0:c1', 'disable'], { seccomp: undefined }],
    [['apparmor=unconfined', 'apparmor:docker-default'], { noNewPrivileges: false }],
  ])('reads the security options %j', (options, expected) => {
    expect(readSecurityOpt(options)).toMatchObject(expected);
  });

  it.each([
    ['foo', 'invalid-argument', 'invalid --security-opt 1: "foo"'],
    ['=x', 'invalid-argument', 'invalid --security-opt 1: "=x"'],
    ['foo=bar', 'invalid-argument', 'invalid --security-opt 2: "foo=bar"'],
    ['constructor=x', 'invalid-argument', 'invalid --security-opt 2: "constructor=x"'],
    ['systempaths=unconfined', 'invalid-argument', 'invalid --security-opt 2'],
    ['no-new-privileges=maybe', 'invalid-argument', 'invalid --security-opt 2'],
    ['no-new-privileges=toString', 'invalid-argument', 'invalid --security-opt 2'],
    ['label=nothing', 'invalid-argument', 'invalid --security-opt 2: "label=nothing"'],
    ['apparmor=mine', 'unsupported-option', 'no profile "mine"'],
  ])('refuses the security option %s', (option, code, message) => {
    expect(() => readSecurityOpt([option])).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});
