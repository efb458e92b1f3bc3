import { describe, expect, it } from 'vitest';
import { toHex } from '../../hex.ts';
import { type LaunchInputs, resolveLaunch } from '../inputs.ts';
import { measureLaunch } from '../launch.ts';
import { sha256 } from '../launch-digest.ts';
import { launchRecordOf } from '../launch-record.ts';
import { measureOvmf } from '../measure.ts';
import { measuredOvmf } from '../ovmf/ovmf.ts';
import { buildOvmf, GUIDS } from '../testing/build-ovmf.ts';
import { KNOWN_DIGESTS } from '../testing/known-digests.ts';
import { knownInputs } from '../testing/known-launches.ts';
import { type Artefact, type ExplainOptions, type Explanation, explain } from './explain.ts';

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

const EXPECTED: LaunchInputs = {
  vmm: 'qemu',
  ovmf: buildOvmf(),
  kernel: text('kernel'),
  initrd: text('initrd'),
  append: 'root=/dev/vda  ro',
  vcpus: 4,
  vcpuType: 'EPYC-Milan',
};
const OTHER_OVMF = buildOvmf({ fill: 0x91 });
const PLAIN_OVMF = buildOvmf({ fill: 0x92, without: [GUIDS.hashTable] });
const ARTEFACTS: readonly Artefact[] = [
  { name: 'initrd-2.img', kind: 'initrd', content: text('initrd 2') },
  { name: 'OVMF-2.fd', kind: 'ovmf', content: OTHER_OVMF },
  { name: 'plain.fd', kind: 'ovmf', content: measuredOvmf(PLAIN_OVMF) },
  { name: 'debug', kind: 'append', content: 'root=/dev/vdb debug' },
  { name: 'vmlinuz-2', kind: 'kernel', content: { sha256: sha256(text('kernel 2')) } },
];

/** The explanation when EXPECTED was expected and the launch differed by `change`. */
function explained(change: Partial<LaunchInputs>, options: ExplainOptions = {}): Explanation {
  const { digest } = measureOvmf({ ...EXPECTED, ...change });
  return explain(EXPECTED, digest, options);
}

function differing(explanation: Explanation): readonly string[] {
  return explanation.inputs.filter(({ verdict }) => verdict === 'differs').map(({ name }) => name);
}

const NO_KERNEL = { kernel: undefined, initrd: undefined, append: undefined };

describe('explain', () => {
  it('reports that the measured digest is the expected one', () => {
    const { digest } = measureOvmf(EXPECTED);
    const explanation = explain(EXPECTED, digest.toUpperCase());
    expect(explanation).toMatchObject({
      matches: true,
      expected: digest,
      actual: digest,
      record: 'absent',
      tried: [],
    });
    expect(explanation.inputs.map(({ verdict }) => verdict)).toEqual(Array(9).fill('same'));
    expect(explanation.conclusion).toContain('every measured input is as expected');
  });

  it.each<[string, Partial<LaunchInputs>, readonly string[], RegExp]>([
    ['fewer vCPUs', { vcpus: 2 }, ['vcpus'], /launched with 2 vCPUs, expected 4/],
    ['one vCPU', { vcpus: 1 }, ['vcpus'], /launched with 1 vCPU, expected 4/],
    ['many vCPUs', { vcpus: 256 }, ['vcpus'], /with 256 vCPUs/],
    [
      'another model',
      { vcpuType: 'EPYC-Genoa-v2' },
      ['vcpuSignature'],
      /0xa10f10 \(EPYC-Genoa, .*expected 0xa00f11/,
    ],
    [
      'DebugSwap',
      { sevFeatures: 0x21n },
      ['sevFeatures'],
      /0x21 \(SNPActive, DebugSwap\), expected 0x1 /,
    ],
    [
      'an older kernel of the host',
      { fpu: 'zero' },
      ['fpu'],
      /FPU.* zeros, expected that of the monitor/,
    ],
    ['no command line', { append: undefined }, ['append'], /command line was "", expected "root/],
    ['a newline', { append: 'root=/dev/vda  ro\n' }, ['append'], /ro\\n", expected/],
    ['CRLF', { append: 'root=/dev/vda  ro\r\n' }, ['append'], /ro\\r\\n", expected/],
    ['CR', { append: 'root=/dev/vda  ro\r' }, ['append'], /ro\\r", expected/],
    ['a space in front', { append: ' root=/dev/vda  ro' }, ['append'], /was " root=/],
    ['a space at the end', { append: 'root=/dev/vda  ro ' }, ['append'], /ro ", expected/],
    ['one space for two', { append: 'root=/dev/vda ro' }, ['append'], /vda ro", expected/],
    [
      'what OVMF appends',
      { append: 'root=/dev/vda  ro initrd=initrd' },
      ['append'],
      /initrd=initrd/,
    ],
    ['no initrd', { initrd: undefined }, ['initrd'], /^The initrd was none, expected sha256:/],
    [
      'no kernel hashes',
      NO_KERNEL,
      ['kernel'],
      /without kernel hashes: .*Launch with kernel-hashes=on/,
    ],
    [
      'EC2',
      { vmm: 'ec2' },
      ['vmm', 'vcpuSignature', 'fpu'],
      /by Amazon EC2, expected QEMU\. Measure/,
    ],
    ['GCE', { vmm: 'gce' }, ['vmm', 'vcpuSignature', 'fpu'], /by Google Compute Engine/],
  ])('explains a digest by %s', (_, change, inputs, sentence) => {
    const explanation = explained(change);
    expect(explanation).toMatchObject({ matches: false, exhausted: false });
    expect(explanation.cause?.source).toBe('variant');
    expect(explanation.conclusion).toMatch(sentence);
    expect(differing(explanation)).toEqual(inputs.filter((name) => differs(explanation, name)));
    expect(explanation.cause?.inputs[0]).toBe(inputs[0]);
  });

  it.each<[string, Partial<LaunchInputs>, readonly string[], RegExp]>([
    ['an initrd', { initrd: text('initrd 2') }, ['initrd'], /initrd-2\.img/],
    ['a kernel', { kernel: text('kernel 2') }, ['kernel'], /^The kernel was .*vmlinuz-2/],
    [
      'a command line',
      { append: 'root=/dev/vdb debug' },
      ['append'],
      /was "root=\/dev\/vdb debug"/,
    ],
    ['a firmware', { ovmf: OTHER_OVMF }, ['ovmf'], /OVMF-2\.fd/],
    [
      'a firmware that measures no kernel',
      { ovmf: PLAIN_OVMF, ...NO_KERNEL },
      ['ovmf', 'kernel'],
      /plain\.fd.*, and the guest was launched without kernel hashes/,
    ],
  ])('explains a digest by %s among known files', (_, change, inputs, sentence) => {
    const explanation = explained(change, { artefacts: ARTEFACTS });
    expect(explanation.cause?.inputs).toEqual(inputs);
    expect(explanation.conclusion).toMatch(sentence);
    expect(explained(change).cause).toBeUndefined();
  });

  it.each<[string, Partial<LaunchInputs>, readonly string[]]>([
    ['vCPUs and SEV features', { vcpus: 8, sevFeatures: 0x21n }, ['sevFeatures', 'vcpus']],
    ['vCPUs and initrd', { vcpus: 8, initrd: undefined }, ['initrd', 'vcpus']],
    ['model and command line', { vcpuType: 'EPYC', append: '' }, ['append', 'vcpuSignature']],
    [
      'kernel and initrd',
      { kernel: text('kernel 2'), initrd: text('initrd 2') },
      ['kernel', 'initrd'],
    ],
    ['EC2 and vCPUs', { vmm: 'ec2', vcpus: 2 }, ['vmm', 'vcpus']],
    [
      'no kernel hashes, DebugSwap and vCPUs',
      { ...NO_KERNEL, sevFeatures: 0x21n, vcpus: 8 },
      ['kernel', 'sevFeatures', 'vcpus'],
    ],
    [
      'kernel, initrd and command line',
      { kernel: text('kernel 2'), initrd: text('initrd 2'), append: 'root=/dev/vdb debug' },
      ['kernel', 'initrd', 'append'],
    ],
  ])('explains a digest by two differences at once: %s', (_, change, inputs) => {
    const explanation = explained(change, { artefacts: ARTEFACTS });
    expect(explanation.cause?.inputs).toEqual(inputs);
    expect(explanation.conclusion).toMatch(/, and /);
  });

  it('explains a digest by a command line that was hashed without its NUL', () => {
    const launch = resolveLaunch(EXPECTED);
    const cmdline = sha256(text('root=/dev/vda  ro'));
    const kernel = launch.kernel && { ...launch.kernel, cmdline };
    const { conclusion } = explain(EXPECTED, toHex(measureLaunch({ ...launch, kernel })));
    expect(conclusion).toMatch(/was "root.*" without the NUL behind it, expected "root/);
  });

  it('explains a digest by a command line that was read inside the guest', () => {
    const inside = { ...EXPECTED, append: 'quiet initrd=initrd' };
    const { digest } = measureOvmf({ ...EXPECTED, append: 'quiet' });
    expect(explain(inside, digest).conclusion).toMatch(/was "quiet", expected "quiet initrd=/);
  });

  it('explains a digest by QEMU and its model where EC2 was expected', () => {
    const ec2 = { ...EXPECTED, vmm: 'ec2', vcpuType: undefined } as const;
    const { conclusion } = explain(ec2, measureOvmf({ ...EXPECTED, vcpuType: 'EPYC-Rome' }).digest);
    expect(conclusion).toMatch(/by QEMU, expected Amazon EC2, and .*0x830f10/);
  });

  it('explains the digest that other tools compute for EC2', () => {
    const known = KNOWN_DIGESTS.find(({ name }) => name === 'ec2_0x1');
    const inputs = knownInputs(known ?? expect.fail('no such launch'));
    const other =
      '7d3756157c805bf6adf617064c8552e8c1688fa1c8756f11cbf56ba5d25c9270fb69c0505c1cbe1c5c66c0e34c6ed3be';
    expect(explain(inputs, other).cause?.text).toMatch(/RDX at reset\) was 0x0, expected that of/);
  });

  it('explains a digest by the FPU state of a reset where zeros were expected', () => {
    const zero = { ...EXPECTED, fpu: 'zero' } as const;
    const { cause } = explain(zero, measureOvmf(EXPECTED).digest);
    expect(cause?.inputs).toEqual(['fpu']);
    const ec2 = { ...EXPECTED, vmm: 'ec2', fpu: 'reset' } as const;
    const other = explain({ ...ec2, fpu: undefined }, measureOvmf(ec2).digest);
    expect(other.conclusion).toMatch(/as after a reset, expected that of the monitor/);
  });

  it('explains a digest by a kernel where none was expected', () => {
    const actual = measureOvmf({
      ...EXPECTED,
      append: undefined,
      kernel: text('kernel 2'),
      initrd: text('initrd 2'),
    });
    const inputs = { ...EXPECTED, ...NO_KERNEL };
    const { cause } = explain(inputs, actual.digest, { artefacts: ARTEFACTS });
    expect(cause?.text).toMatch(/the kernel was sha256:.*vmlinuz-2.*, expected none/);
    const plain = { ...inputs, ovmf: PLAIN_OVMF };
    expect(explain(plain, actual.digest, { artefacts: ARTEFACTS }).cause).toBeUndefined();
  });

  it('mentions a possible kernel where none was expected', () => {
    const { conclusion } = explain({ ...EXPECTED, ...NO_KERNEL }, '00'.repeat(48));
    expect(conclusion).toContain('no kernel: if the guest was launched with kernel hashes, expect');
    expect(explain(EXPECTED, '00'.repeat(48)).conclusion).not.toContain('no kernel');
  });

  it('refuses to explain with a command line that no VMM accepts', () => {
    const artefacts = [{ name: '', kind: 'append', content: '\0' }] as const;
    expect(() => explain(EXPECTED, '00'.repeat(48), { artefacts })).toThrow(
      expect.objectContaining({ code: 'measure-input' }),
    );
  });

  it('lists what was tried when no explanation is found', () => {
    const explanation = explained({ append: 'single', kernel: text('unknown') });
    expect(explanation).toMatchObject({ matches: false, exhausted: true });
    expect(explanation).not.toHaveProperty('cause');
    expect(explanation.inputs.every(({ verdict }) => verdict === 'unknown')).toBe(true);
    expect(explanation.tried).toContainEqual({ what: 'other vCPU counts', count: 255 });
    const noInitrd = measureOvmf({ ...EXPECTED, initrd: undefined }).digest;
    expect(explanation.tried).toContainEqual({ what: 'no initrd', count: 1, digest: noInitrd });
    expect(explanation.tried.map(({ what }) => what)).toContain('sevFeatures and vcpus');
    expect(explanation.conclusion).toMatch(/^No launch that differs in one or two.*launch record/);
  });

  it('returns the same explanation each time', () => {
    const change = { append: 'single', kernel: text('unknown') };
    expect(explained(change)).toEqual(explained(change));
  });

  it('stops at the given number of variants', () => {
    const explanation = explained({ append: 'single' }, { maxVariants: 100 });
    expect(explanation.exhausted).toBe(false);
    expect(explanation.tried.reduce((sum, { count }) => sum + count, 0)).toBe(100);
    expect(explanation.conclusion).toMatch(/^None of the 100 launches/);
    expect(explained({ vcpus: 8 }, { maxVariants: 1 }).cause).toBeUndefined();
  });

  it('tries all single changes and pairs of a large firmware before its bound', () => {
    const ovmf = buildOvmf({ pages: 1024 });
    const inputs = { ...EXPECTED, ovmf };
    expect(explain(inputs, '00'.repeat(48)).exhausted).toBe(true);
  });

  it.each<[string, string, ExplainOptions, string]>([
    ['digest of another length', '00', {}, 'measure-input'],
    ['digest that is not hexadecimal', 'x'.repeat(96), {}, 'measure-input'],
  ])('refuses to explain a %s', (_, actual, options, code) => {
    expect(() => explain(EXPECTED, actual, options)).toThrow(expect.objectContaining({ code }));
  });

  it('refuses to explain with invalid options', () => {
    const actual = '00'.repeat(48);
    const [artefact] = ARTEFACTS;
    const artefacts = Array<Artefact>(65).fill(
      artefact ?? { name: '', kind: 'initrd', content: text('') },
    );
    expect(() => explain(EXPECTED, actual, { artefacts })).toThrow(RangeError);
    expect(() => explain(EXPECTED, actual, { maxVariants: 0 })).toThrow(RangeError);
    expect(() => explain(EXPECTED, actual, { maxVariants: 0.5 })).toThrow(RangeError);
  });
});

describe('explain with a launch record', () => {
  const launched = {
    ...EXPECTED,
    kernel: text('never seen'),
    append: 'single',
    vcpus: 300,
    vcpuType: 'EPYC-Genoa',
  } as const;
  const { digest } = measureOvmf(launched);
  const record = launchRecordOf(launched);

  it('confirms a launch record that gives the digest, and lists each input that differs', () => {
    const explanation = explain(EXPECTED, digest, { record });
    expect(explanation).toMatchObject({
      matches: false,
      record: 'confirmed',
      tried: [{ what: "the host's launch record", count: 1, digest }],
      cause: { source: 'record', inputs: ['kernel', 'append', 'vcpuSignature', 'vcpus'] },
    });
    expect(explanation.inputs.find(({ name }) => name === 'append')).toEqual({
      name: 'append',
      expected: '"root=/dev/vda  ro"',
      actual: '"single"',
      verdict: 'differs',
    });
    expect(explanation.inputs.find(({ name }) => name === 'initrd')?.verdict).toBe('same');
  });

  it('refutes a launch record that does not give the digest, whatever digest it claims', () => {
    const lie = { ...launchRecordOf(EXPECTED), digest };
    const explanation = explain(EXPECTED, digest, { record: lie });
    expect(explanation.record).toBe('refuted');
    expect(explanation).not.toHaveProperty('cause');
    expect(explanation.tried[0]).toEqual({
      what: "the host's launch record",
      count: 1,
      digest: measureOvmf(EXPECTED).digest,
    });
    expect(explanation.conclusion).toMatch(/^The host's launch record does not give this digest/);
  });

  it('tries variants when the launch record is refuted', () => {
    const { digest: actual } = measureOvmf({ ...EXPECTED, vcpus: 2 });
    const explanation = explain(EXPECTED, actual, { record });
    expect(explanation.cause).toMatchObject({ source: 'variant', inputs: ['vcpus'] });
    expect(explanation.conclusion).toMatch(/wrong or incomplete\. The guest was launched with 2/);
  });

  it('reports whether the launch record also gives a matching digest', () => {
    const expected = measureOvmf(EXPECTED).digest;
    const own = launchRecordOf(EXPECTED);
    expect(explain(EXPECTED, expected, { record: own })).toMatchObject({
      matches: true,
      record: 'confirmed',
    });
    expect(explain(EXPECTED, expected, { record })).toMatchObject({
      matches: true,
      record: 'refuted',
    });
  });

  it('omits inputs that one of the two launches does not measure', () => {
    const bare = { ...EXPECTED, ...NO_KERNEL };
    const own = launchRecordOf(bare);
    const { inputs } = explain(EXPECTED, own.digest, { record: own });
    expect(inputs.find(({ name }) => name === 'append')).toMatchObject({
      actual: 'not measured',
      verdict: 'unknown',
    });
    const reverse = explain(bare, measureOvmf(EXPECTED).digest, {
      record: launchRecordOf(EXPECTED),
    });
    expect(reverse.inputs.find(({ name }) => name === 'append')).toMatchObject({
      expected: 'not measured',
      verdict: 'unknown',
    });
  });

  it('escapes control characters of a launch record in the conclusion', () => {
    const hostile = { ...EXPECTED, append: 'caf\u00e9\u001b[2J\u009b2J\u202e' };
    const own = launchRecordOf(hostile);
    const { conclusion } = explain(EXPECTED, own.digest, { record: own });
    expect(conclusion).toContain('"caf\u00e9\\u001b[2J\\u{9b}2J\\u{202e}"');
  });

  it('refuses to explain with a malformed launch record', () => {
    const malformed = { ...record, vcpus: 0 };
    expect(() => explain(EXPECTED, digest, { record: malformed })).toThrow(
      expect.objectContaining({ code: 'launch-record-malformed' }),
    );
  });
});

function differs(explanation: Explanation, name: string): boolean {
  return explanation.inputs.some((input) => input.name === name && input.verdict === 'differs');
}
