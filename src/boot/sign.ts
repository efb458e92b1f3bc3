/**
 * Signs what a boot set launches, so that policies can name a key and a security version instead of
 * digests.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type LaunchInputs, measureOvmf, signIdBlock } from '@a3s-box/attestation/measure';
import { A3sError } from '../errors.ts';
import type { BootSet } from './bootset.ts';
import { sha256 } from './digest.ts';
import { refuseVulnerable } from './vulnerable.ts';

export interface SignRequest {
  readonly set: BootSet;
  /**
   * The party that vouches for the guest: the command lines differ by it, and so do the digests.
   */
  readonly tee: 'snp' | 'simulated';
  /** vCPUs are measured: a block is for one count of them. */
  readonly cpus: number;
  /** Private keys on P-384. */
  readonly idKey: KeyObject;
  readonly authorKey?: KeyObject | undefined;
  readonly guestSvn: number;
  /** 16 bytes each. */
  readonly familyId: Uint8Array;
  readonly imageId: Uint8Array;
}

export interface SignedBootSet {
  /** The ID block, and its authentication behind it. */
  readonly bytes: Buffer;
  /** Digests as lower-case hexadecimal, as reports and policies have them. */
  readonly launchDigest: string;
  readonly idKeyDigest: string;
  readonly authorKeyDigest: string | undefined;
}

/**
 * The launch digests of the set. Throws `boot-set-missing` for a set without confidential boxes, or
 * a damaged one.
 */
export async function launchInputs(
  set: BootSet,
  tee: SignRequest['tee'],
  vcpus: number,
): Promise<LaunchInputs> {
  const { confidential, document } = set;
  if (confidential === undefined || !('confidential' in document)) {
    throw unusable(set, 'it is older than confidential boxes');
  }
  const { files } = document;
  const ovmf = await readFile(confidential.firmwarePath);
  if (sha256(ovmf) !== files['OVMF.fd'].sha256) throw unusable(set, 'its OVMF.fd is damaged');
  return {
    vmm: 'qemu',
    ovmf: Uint8Array.from(ovmf),
    kernel: { sha256: Uint8Array.from(Buffer.from(files.bzImage.sha256, 'hex')) },
    initrd: { sha256: Uint8Array.from(Buffer.from(files['initrd-confidential'].sha256, 'hex')) },
    append: confidential.commandLines[tee].join(' '),
    vcpus,
    vcpuType: confidential.vcpuType,
  };
}

/**
 * Throws `key-invalid` for keys that ID blocks do not accept, `known-vulnerable` for a set that is
 * known to be vulnerable.
 */
export async function signBootSet(request: SignRequest): Promise<SignedBootSet> {
  const { set, tee, cpus, idKey, authorKey, guestSvn, familyId, imageId } = request;
  for (const key of [idKey, authorKey]) requireP384(key);
  if (set.confidential !== undefined)
    refuseVulnerable(`sign the boot set ${set.id}`, set.confidential);
  const { digest } = measureOvmf(await launchInputs(set, tee, cpus));
  const launchDigest = Uint8Array.from(Buffer.from(digest, 'hex'));
  const policy = set.confidential?.policy ?? 0n;
  const signed = signIdBlock({
    idBlock: { launchDigest, familyId, imageId, guestSvn, policy },
    ...{ idKey, authorKey },
  });
  const { authorKeyDigest } = signed;
  return {
    bytes: Buffer.concat([signed.idBlock, signed.idAuth]),
    launchDigest: digest,
    idKeyDigest: hex(signed.idKeyDigest),
    authorKeyDigest: authorKeyDigest === undefined ? undefined : hex(authorKeyDigest),
  };
}

function requireP384(key: KeyObject | undefined): void {
  if (key === undefined) return;
  if (key.type === 'private' && key.asymmetricKeyDetails?.namedCurve === 'secp384r1') return;
  throw new A3sError('key-invalid', 'Cannot sign the boot set: the key is not on P-384', {
    remedy: 'Make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out id.pem',
  });
}

function unusable({ id }: BootSet, why: string): A3sError {
  return new A3sError('boot-set-missing', `Cannot sign the boot set ${id}: ${why}`, {
    remedy: 'Name another set: a3s-box boot ls lists them.',
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
