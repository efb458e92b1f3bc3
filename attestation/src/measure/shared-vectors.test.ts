/**
 * Launch digests and ID blocks that other tools computed.
 *
 * @module
 */
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { fromHex, toHex } from '../hex.ts';
import { HAS_SHARED_VECTORS, SHARED_VECTORS } from '../testing/shared-vectors.ts';
import { explain } from './explain/explain.ts';
import { parseIdAuth } from './id-block/id-auth.ts';
import { parseIdBlock } from './id-block/id-block.ts';
import { idKeyDigest } from './id-block/id-key.ts';
import { verifyIdBlock } from './id-block/id-sign.ts';
import type { LaunchInputs } from './inputs.ts';
import { sha384 } from './launch-digest.ts';
import { measureOvmf } from './measure.ts';
import { measuredOvmf, ovmfHash, parseOvmf, sectionType } from './ovmf/ovmf.ts';
import { isVcpuType } from './vcpu-types.ts';
import { vmsaProfile } from './vmm.ts';
import { RESET_VECTOR, vmsaPage } from './vmsa.ts';

function read(path: string): Uint8Array {
  return new Uint8Array(readFileSync(`${SHARED_VECTORS}/${path}`));
}

function readJson<T>(path: string, schema: z.ZodMiniType<T>): T {
  return schema.parse(JSON.parse(readFileSync(`${SHARED_VECTORS}/${path}`, 'utf8')));
}

function bytes(hex: string): Uint8Array {
  return z.instanceof(Uint8Array).parse(fromHex(hex));
}

const text = z.string();

const CASE = z.object({
  name: text,
  ovmf: text,
  vmm: z.enum(['qemu', 'ec2', 'gce']),
  vcpus: z.number(),
  vcpu_type: z.nullable(text),
  guest_features: text,
  kernel: z.nullable(text),
  initrd: z.nullable(text),
  append: z.nullable(text),
  ovmf_hash_seed: z.optional(z.nullable(text)),
  expected: text,
});
const CASES = z.object({
  cases: z.array(CASE),
  intermediate_ovmf_AmdSev: z.record(text, z.unknown()),
});
type Case = z.infer<typeof CASE>;

function inputsOf(vector: Case): LaunchInputs {
  const image = read(`measure-1/${vector.ovmf}`);
  const seed = vector.ovmf_hash_seed;
  const type = vector.vcpu_type ?? '';
  return {
    vmm: vector.vmm,
    ovmf: typeof seed === 'string' ? { ...measuredOvmf(image), hash: bytes(seed) } : image,
    vcpus: vector.vcpus,
    sevFeatures: BigInt(vector.guest_features),
    ...(isVcpuType(type) ? { vcpuType: type } : {}),
    ...(vector.kernel === null ? {} : { kernel: read(`measure-1/${vector.kernel}`) }),
    ...(vector.initrd === null ? {} : { initrd: read(`measure-1/${vector.initrd}`) }),
    // These files do not distinguish an empty command line from a missing one, even without a
    // kernel.
    ...(vector.append === null || vector.append === '' ? {} : { append: vector.append }),
  };
}

describe.runIf(HAS_SHARED_VECTORS)('measure-1', () => {
  const { cases, intermediate_ovmf_AmdSev: steps } = HAS_SHARED_VECTORS
    ? readJson('measure-1/expected.json', CASES)
    : { cases: [], intermediate_ovmf_AmdSev: {} };

  it('finds 27 cases in measure-1', () => {
    expect(cases).toHaveLength(27);
  });

  it.each(cases)('computes the launch digest of $name in measure-1', (vector) => {
    expect(measureOvmf(inputsOf(vector)).digest).toBe(vector.expected);
  });

  it('refuses a kernel for the OVMF build without measured boot', () => {
    const ovmf = read('measure-1/ovmf_OvmfX64_suffix.bin');
    const inputs = { vmm: 'qemu', ovmf, vcpus: 1, vcpuType: 'EPYC-v4' } as const;
    expect(() => measureOvmf({ ...inputs, kernel: new Uint8Array(0) })).toThrow(
      expect.objectContaining({ code: 'ovmf-no-kernel-hashes' }),
    );
  });

  it('computes the intermediate values of the AmdSev build', () => {
    const image = read('measure-1/ovmf_AmdSev_suffix.bin');
    const parsed = parseOvmf(image);
    expect(toHex(ovmfHash(image))).toBe(steps['ovmf_hash']);
    expect(parsed).toMatchObject({ gpa: 0xfffff000, svsm: false });
    expect(parsed.hashTableGpa).toBe(Number(steps['sev_hash_table_gpa']));
    expect(parsed.resetEip).toBe(Number(steps['es_reset_eip']));
  });

  it.each(['qemu', 'ec2', 'gce'] as const)('builds the VMSA pages of %s in measure-1', (vmm) => {
    // The page files have the CPU signature of EPYC-v4, except those of EC2 and GCE.
    const rdx = vmm === 'qemu' ? 0x800f12 : 0x600;
    const profile = vmsaProfile(vmm, rdx, vmm === 'qemu' ? 'reset' : 'zero');
    for (const [name, eip] of [
      ['bsp', RESET_VECTOR],
      ['ap', 0x80b004],
    ] as const) {
      const page = vmsaPage(profile, { first: name === 'bsp', eip, sevFeatures: 1n });
      expect(toHex(page)).toBe(toHex(read(`measure-1/vmsa_${vmm}_${name}_feat1.bin`)));
      expect(toHex(sha384(page))).toBe(steps[`vmsa_${vmm}_${name}_sha384`]);
    }
  });

  it.each([
    [
      'ec2_0x1',
      '7d3756157c805bf6adf617064c8552e8c1688fa1c8756f11cbf56ba5d25c9270fb69c0505c1cbe1c5c66c0e34c6ed3be',
    ],
    [
      'ec2_0x21',
      '6ae80856486b1396af8c82a40351d6ed76a20c785e9c7fa4ffa27c22d5d6313b4b3b458cd3c9968e6f89fb5d8450d7a6',
    ],
  ])('explains the digest that other tools compute for %s', (name, actual) => {
    const vector = cases.find((each) => each.name === name);
    const inputs = inputsOf(CASE.parse(vector));
    expect(explain(inputs, actual).cause?.text).toContain('RDX');
  });
});

const MILAN_4 = z.object({
  sev_snp_measurement: z.object({
    ovmf_sections: z.array(
      z.object({ gpa: z.number(), size: z.number(), section_type: z.number() }),
    ),
    ovmf_hash: text,
    kernel_hash: text,
    initrd_hash: text,
    sev_hashes_table_gpa: z.number(),
    sev_es_reset_eip: z.number(),
    vcpus: z.number(),
    guest_features: z.number(),
  }),
  measured_cmdline: text,
  expected_measurement: text,
});

describe.runIf(HAS_SHARED_VECTORS)('milan-4', () => {
  function launch(): { inputs: LaunchInputs; expected: string } {
    const file = readJson('milan-4/measurement_inputs.json', MILAN_4);
    const facts = file.sev_snp_measurement;
    const ovmf = {
      hash: bytes(facts.ovmf_hash),
      sections: facts.ovmf_sections.map(({ gpa, size, section_type }) => ({
        gpa,
        size,
        type: sectionType(section_type) ?? 'sec-mem',
      })),
      hashTableGpa: facts.sev_hashes_table_gpa,
      resetEip: facts.sev_es_reset_eip,
    };
    const inputs: LaunchInputs = {
      vmm: 'qemu',
      ovmf,
      kernel: { sha256: bytes(facts.kernel_hash) },
      initrd: { sha256: bytes(facts.initrd_hash) },
      append: file.measured_cmdline,
      vcpus: facts.vcpus,
      vcpuType: 'EPYC-v4',
      sevFeatures: BigInt(facts.guest_features),
    };
    return { inputs, expected: file.expected_measurement };
  }

  it('computes the measurement of milan-4 that hardware signed', () => {
    const { inputs, expected } = launch();
    expect(measureOvmf(inputs).digest).toBe(expected);
    expect(toHex(read('milan-4/report.bin').subarray(0x90, 0xc0))).toBe(expected);
  });

  it('explains the measurement of milan-4 when four vCPUs were expected', () => {
    const { inputs, expected } = launch();
    const { conclusion } = explain({ ...inputs, vcpus: 4 }, expected);
    expect(conclusion).toContain('launched with 2 vCPUs, expected 4');
  });
});

describe.runIf(HAS_SHARED_VECTORS)('idblock-1', () => {
  const EXPECTED = z.object({
    launch_digest: text,
    id_block_hex: text,
    id_key_digest: text,
    author_key_digest: text,
  });

  it('verifies the ID block of idblock-1 with the digests of its keys', () => {
    const expected = readJson('idblock-1/expected.json', EXPECTED);
    const block = read('idblock-1/id_block.bin');
    expect(toHex(block)).toBe(expected.id_block_hex);
    const verified = verifyIdBlock(block, read('idblock-1/test_auth_block.bin'));
    expect(toHex(verified.idBlock.launchDigest)).toBe(expected.launch_digest);
    expect(toHex(verified.idKeyDigest)).toBe(expected.id_key_digest);
    expect(verified.authorKeyDigest && toHex(verified.authorKeyDigest)).toBe(
      expected.author_key_digest,
    );
  });

  it('parses the key and signatures of the authentication in idblock-1', () => {
    const auth = parseIdAuth(read('idblock-1/test_auth_block.bin'));
    expect(toHex(auth.idKey)).toBe(toHex(read('idblock-1/id_key_raw_0x404.bin')));
    expect(toHex(auth.idSignature)).toBe(toHex(read('idblock-1/test_id_sig.bin')));
    expect(auth.author && toHex(auth.author.key)).toBe(
      toHex(read('idblock-1/author_key_raw_0x404.bin')),
    );
    expect(auth.author && toHex(auth.author.signature)).toBe(
      toHex(read('idblock-1/test_auth_sig.bin')),
    );
    expect(parseIdBlock(read('idblock-1/id_block.bin')).policy).toBe(0x30000n);
  });

  it.each(['id', 'author'])(
    'computes the digest of the %s key of idblock-1 from its PEM',
    (name) => {
      const pem = readFileSync(`${SHARED_VECTORS}/idblock-1/${name}_key_pub.pem`, 'utf8');
      const expected = readJson('idblock-1/expected.json', z.record(text, z.unknown()));
      expect(toHex(idKeyDigest(createPublicKey(pem)))).toBe(expected[`${name}_key_digest`]);
    },
  );
});
