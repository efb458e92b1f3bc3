import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFINEMENT } from './confinement.ts';
import { readSeccompProfile } from './seccomp-profile.ts';

const USUAL = DEFAULT_CONFINEMENT.capabilities;
const read = (document: unknown, capabilities = USUAL) =>
  readSeccompProfile(JSON.stringify(document), capabilities);
const ALLOW = { defaultAction: 'SCMP_ACT_ALLOW' };

it('asks for no filter where a profile is empty', () => {
  expect(read({})).toBeUndefined();
  expect(read({ comment: 'nothing', syscalls: null })).toBeUndefined();
});

it('reads a profile with everything that the agent takes', () => {
  const masked = { index: 0, value: 2_114_060_288, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' };
  expect(
    read({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_TSYNC'],
      comment: '"value": 5, said nobody',
      syscalls: [
        { names: ['clone'], action: 'SCMP_ACT_ALLOW', args: [masked], comment: 'x' },
        { name: 'mkdir', action: 'SCMP_ACT_ERRNO', errnoRet: 13, args: null },
        { names: ['chmod'], action: 'SCMP_ACT_KILL', errnoRet: 5 },
      ],
    }),
  ).toEqual({
    default: { kind: 'errno', value: 38 },
    ...{ x86: true, x32: true, log: true, specAllow: false },
    rules: [
      {
        names: ['clone'],
        action: { kind: 'allow', value: 0 },
        conditions: [{ index: 0, op: 'masked-eq', value: '2114060288', valueTwo: '0' }],
      },
      { names: ['mkdir'], action: { kind: 'errno', value: 13 }, conditions: [] },
      { names: ['chmod'], action: { kind: 'kill-thread', value: 0 }, conditions: [] },
    ],
  });
});

it('reads the names of fields in any case, as Docker does', () => {
  const call = (fields: string) =>
    `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_TRAP",${fields}}]}`;
  const argument = '{"index":1,"value":18446744073709551615,"op":"SCMP_CMP_NE"}';
  for (const text of [
    call(`"args":[${argument}]`),
    call('"includes":{"caps":["CAP_SYS_ADMIN"]}'),
    call('"excludes":{"arches":["amd64"]}'),
  ]) {
    const other = text.replace(/"(\w+)":/g, (_, name: string) => `"${name.toUpperCase()}":`);
    expect(other).not.toBe(text);
    expect(readSeccompProfile(other, [])).toEqual(readSeccompProfile(text, []));
  }
  expect(() => read({ ...ALLOW, DefaultAction: 'SCMP_ACT_ERRNO' })).toThrow(
    'the field defaultAction is there twice',
  );
});

it('keeps all 64 bits of a value', () => {
  const text =
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_TRAP","args":[{"index":1,"value" : 18446744073709551615 ,"op":"SCMP_CMP_NE"}]}]}';
  expect(readSeccompProfile(text, [])?.rules[0]?.conditions).toEqual([
    { index: 1, op: 'ne', value: '18446744073709551615', valueTwo: '0' },
  ]);
});

it('takes the architectures of the map for this processor alone', () => {
  const archMap = [
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_X86'] },
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X32'] },
  ];
  expect(read({ ...ALLOW, archMap })).toMatchObject({ x86: false, x32: true });
});

it('makes one rule of each condition where two are of one argument', () => {
  const args = [1, 2].map((value) => ({ index: 0, value, op: 'SCMP_CMP_EQ' }));
  const profile = read({ ...ALLOW, syscalls: [{ names: ['a'], action: 'SCMP_ACT_ERRNO', args }] });
  expect(profile?.rules.map(({ conditions }) => conditions.map(({ value }) => value))).toEqual([
    ['1'],
    ['2'],
  ]);
});

describe('a rule for some boxes', () => {
  it.each([
    ['includes a capability that the box has', { includes: { caps: ['CAP_CHOWN'] } }, true],
    ['includes one that it lacks', { includes: { caps: ['CAP_CHOWN', 'CAP_BPF'] } }, false],
    ['excludes one that it has', { excludes: { caps: ['CAP_BPF', 'CAP_CHOWN'] } }, false],
    ['excludes one that it lacks', { excludes: { caps: ['CAP_BPF'] } }, true],
    ['includes this processor', { includes: { arches: ['arm64', 'amd64'] } }, true],
    ['includes another processor', { includes: { arches: ['s390x'] } }, false],
    ['excludes this processor', { excludes: { arches: ['amd64'] } }, false],
    ['includes kernels that are old enough', { includes: { minKernel: '4.8' } }, true],
    ['includes later kernels alone', { includes: { minKernel: '7.0' } }, false],
    ['excludes kernels that are old enough', { excludes: { minKernel: '4.8' } }, false],
  ])('decides whether a seccomp rule holds where it %s', (_, filter, holds) => {
    const call = { names: ['a'], action: 'SCMP_ACT_ERRNO', ...filter };
    expect(read({ ...ALLOW, syscalls: [call] })?.rules).toHaveLength(holds ? 1 : 0);
  });
});

describe('a profile is refused', () => {
  const argument = { index: 0, value: 1, op: 'SCMP_CMP_EQ' };
  const call = (more: object) => ({ ...ALLOW, syscalls: [{ names: ['a'], ...more }] });
  it.each([
    ['is no JSON', '{', /^Decoding seccomp profile failed: /],
    ['is no object', '[]', /failed: Invalid input: expected object/],
    ['has no default', { syscalls: [{ names: ['a'], action: 'SCMP_ACT_ALLOW' }] }, /string {2}is/],
    ['has an unknown default', { defaultAction: 'SCMP_ACT_X' }, /SCMP_ACT_X is not a valid action/],
    ['has an unknown action', call({ action: 'SCMP_ACT_FOO' }), /not a valid action for seccomp/],
    ['has a name of every object', call({ action: 'constructor' }), /not a valid action/],
    ['lacks an action', call({}), /syscalls\.0\.action/],
    ['asks a program', call({ action: 'SCMP_ACT_NOTIFY' }), /SCMP_ACT_NOTIFY is not supported/],
    ['names a listener', { ...ALLOW, listenerPath: '/x' }, /SCMP_ACT_NOTIFY is not supported/],
    ['has an unknown architecture', { ...ALLOW, architectures: ['SCMP_ARCH_FOO'] }, /valid arch/],
    [
      'has architectures twice',
      { ...ALLOW, architectures: ['SCMP_ARCH_X86'], archMap: [{ architecture: 'SCMP_ARCH_X86' }] },
      /'archMap'/,
    ],
    ['has an unknown flag', { ...ALLOW, flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER'] }, /flag/],
    [
      'names calls in two ways',
      call({ name: 'b', action: 'SCMP_ACT_ERRNO' }),
      /'name' and 'names'/,
    ],
    [
      'has a seventh argument',
      call({ action: 'SCMP_ACT_TRAP', args: [{ ...argument, index: 6 }] }),
      /args\.0\.index/,
    ],
    [
      'has an unknown comparison',
      call({ action: 'SCMP_ACT_TRAP', args: [{ ...argument, op: 'EQ' }] }),
      /args\.0\.op/,
    ],
    [
      'has a negative value',
      call({ action: 'SCMP_ACT_TRAP', args: [{ ...argument, value: -1 }] }),
      /args\.0\.value/,
    ],
    [
      'has a value that is no number',
      call({ action: 'SCMP_ACT_TRAP', args: [{ ...argument, value: 'one' }] }),
      /args\.0\.value/,
    ],
    [
      'has a value of 65 bits',
      `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":18446744073709551616,"op":"SCMP_CMP_EQ"}]}]}`,
      /args\.0\.value/,
    ],
    ['is too long', ' '.repeat(600_000), /more than 524288 bytes/],
  ])('refuses a seccomp profile that %s', (_, document, message) => {
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    expect(() => readSeccompProfile(text, USUAL)).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringMatching(message),
      }),
    );
  });
});
