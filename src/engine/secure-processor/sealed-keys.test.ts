import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { measureOvmf, signIdBlock } from '@a3s-box/attestation/measure';
import {
  type SimulatedGuest,
  type SimulatedLaunch,
  type SimulatedProcessorOptions,
  SimulatedSecureProcessor,
} from '@a3s-box/attestation/simulated';
import {
  keyRequestOf,
  requirePermitted,
  type SealedHeader,
  type SealingPolicy,
  seal,
  unseal,
} from '@a3s-box/sealing';
import { describe, expect, it } from 'vitest';

type Guest = SimulatedGuest;
type Options = Pick<SimulatedProcessorOptions, 'model' | 'misbehave'>;

/** Of the processor of the test vectors. */
const STATE: unknown = JSON.parse(
  readFileSync(new URL('../../../test/vectors/simulated/state.json', import.meta.url), 'utf8'),
);
/** When its certificates are valid. */
const NOW = new Date('2026-06-01T00:00:00Z');
const INPUTS: SimulatedLaunch['inputs'] = {
  vmm: 'qemu',
  ovmf: {
    hash: new Uint8Array(48).fill(7),
    sections: [{ gpa: 0x810000, size: 0x1000, type: 'kernel-hashes' }],
    hashTableGpa: 0x810c00,
    resetEip: 0x80b004,
  },
  kernel: Buffer.from('kernel'),
  vcpus: 1,
  vcpuType: 'EPYC-Milan',
};
const HOST_DATA = new Uint8Array(32).fill(0xda);
const REPORT_DATA = new Uint8Array(64).fill(0x5a);

const VALUE = new TextEncoder().encode('a database key');
const ID_KEY = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey;
/** bl 4, snp 25, ucode 219: what the Milan has committed. */
const COMMITTED = 0xdb19_0000_0000_0004n;

interface Identity {
  readonly svn?: number;
  readonly family?: number;
  readonly image?: number;
  readonly vcpus?: number;
  readonly policy?: bigint;
  readonly idKey?: typeof ID_KEY;
}

/** A guest under an ID block. */
function guestOf(identity: Identity = {}, options: Options = {}): Guest {
  const { svn = 5, family = 1, image = 1, vcpus = 1, policy = 0x30000n, idKey = ID_KEY } = identity;
  const inputs = { ...INPUTS, vcpus };
  const id = signIdBlock({
    idBlock: {
      launchDigest: Buffer.from(measureOvmf(inputs).digest, 'hex'),
      familyId: new Uint8Array(16).fill(family),
      imageId: new Uint8Array(16).fill(image),
      guestSvn: svn,
      policy,
    },
    idKey,
  });
  const processor = new SimulatedSecureProcessor(STATE, { now: () => NOW, ...options });
  return processor.launch({ inputs, policy, id, hostData: HOST_DATA });
}

/** What the agent reads from its own report. */
function reportOf(guest: Guest) {
  const { report } = guest.report({ reportData: REPORT_DATA });
  const part = (at: number, size: number) => new Uint8Array(report.slice(at, at + size));
  return {
    tee: 'simulated',
    sealing: 'upgradable',
    measurement: part(0x90, 48),
    hostData: part(0xc0, 32),
    idKeyDigest: part(0xe0, 48),
    guestSvn: new DataView(part(4, 4).buffer).getUint32(0, true),
  } as const;
}

function headerOf(guest: Guest, policy: SealingPolicy, guestSvn = 5): SealedHeader {
  const { tee, hostData, measurement, idKeyDigest } = reportOf(guest);
  const [none, salt] = [new Uint8Array(48), new Uint8Array(32).fill(9)];
  const common = { tee, policy, purpose: 'db', guestSvn, tcbVersion: COMMITTED, hostData, salt };
  return policy === 'exact'
    ? { ...common, measurement, idKeyDigest: none }
    : { ...common, measurement: none, idKeyDigest };
}

function sealedBy(guest: Guest, header: SealedHeader) {
  return seal(VALUE, header, guest.deriveKey(keyRequestOf(header)));
}

/** Opens it without a look at the rules, as software other than our agent would. */
async function forced(guest: Guest, header: SealedHeader, envelope: Uint8Array) {
  return unseal(envelope, guest.deriveKey(keyRequestOf(header)));
}

describe('an envelope under keys of the simulated processor', () => {
  it.each(['exact', 'upgradable'] as const)('opens at the next launch: %s', async (policy) => {
    const header = headerOf(guestOf(), policy);
    const envelope = await sealedBy(guestOf(), header);
    requirePermitted(header, reportOf(guestOf()), 'db');
    expect(await forced(guestOf(), header, envelope)).toEqual(VALUE);
  });

  it.each<[string, SealingPolicy, Identity, Options]>([
    ['another launch digest', 'exact', { vcpus: 2 }, {}],
    ['another image id', 'exact', { image: 2 }, {}],
    ['another family id', 'exact', { family: 2 }, {}],
    ['another family id, upgradable', 'upgradable', { family: 2 }, {}],
    ['a guest policy that allows debugging', 'upgradable', { policy: 0xb0000n }, {}],
    ['another chip', 'exact', {}, { model: 'Genoa' }],
    ['another chip, upgradable', 'upgradable', {}, { model: 'Genoa' }],
  ])('does not open under %s, whatever the software does', async (_, policy, identity, options) => {
    const header = headerOf(guestOf(), policy);
    const envelope = await sealedBy(guestOf(), header);
    const other = guestOf(identity, options);
    const opened = Promise.resolve().then(() => forced(other, header, envelope));
    // The committed TCB of another model is laid out otherwise, or lower.
    await expect(opened).rejects.toThrow(/another processor sealed it|TCB_VERSION/);
  });

  it('gets no key for an earlier SVN or an older TCB', async () => {
    const header = headerOf(guestOf(), 'upgradable');
    expect(() => guestOf({ svn: 4 }).deriveKey(keyRequestOf(header))).toThrow('GUEST_SVN');
    const old = guestOf({}, { misbehave: ['old-tcb'] });
    expect(() => old.deriveKey(keyRequestOf(header))).toThrow('above the committed TCB');
  });

  it('opens under a later boot set of the same ID key, when it is upgradable', async () => {
    const header = headerOf(guestOf(), 'upgradable');
    const envelope = await sealedBy(guestOf(), header);
    const later = guestOf({ svn: 6, vcpus: 2, image: 2 });
    requirePermitted(header, reportOf(later), 'db');
    expect(await forced(later, header, envelope)).toEqual(VALUE);
  });

  // docs/confidential/sealing.md says so: no processor mixes the ID key in.
  it('opens, when upgradable, to other software under another ID key and the same family', async () => {
    const header = headerOf(guestOf(), 'upgradable');
    const envelope = await sealedBy(guestOf(), header);
    const { privateKey: idKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const other = guestOf({ idKey, vcpus: 2 });
    expect(() => requirePermitted(header, reportOf(other), 'db')).toThrow(
      expect.objectContaining({ code: 'sealed-id-key' }),
    );
    expect(await forced(other, header, envelope)).toEqual(VALUE);
  });
});
