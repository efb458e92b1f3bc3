/**
 * Verifies a boot set: its files match its digests, its ID block is signed by the expected key, and
 * the list of known vulnerable firmware does not name it.
 *
 * @module
 */
import { join } from 'node:path';
import { measureOvmf, verifyIdBlock } from '@a3s-box/attestation/measure';
import { findVulnerable } from '@a3s-box/policies/known-vulnerable';
import { A3sError } from '../errors.ts';
import type { BootSet } from './bootset.ts';
import { sha256OfFile } from './digest.ts';
import { filesOf } from './document.ts';
import { launchInputs } from './sign.ts';
import { knownVulnerable, refuseVulnerable } from './vulnerable.ts';

/**
 * A signed ID block and the keys that must have signed it. Anybody can sign an ID block with their
 * own key.
 */
export interface ExpectedIdBlock {
  readonly block: Uint8Array;
  readonly auth: Uint8Array;
  /** SHA-384 of the key, as in policies; undefined where any key is accepted. */
  readonly idKeyDigest: string | undefined;
  readonly authorKeyDigest: string | undefined;
}

export interface BootSetQuestion {
  readonly set: BootSet;
  readonly tee: 'snp' | 'simulated';
  readonly cpus: number;
  readonly idBlock: ExpectedIdBlock | undefined;
  /** Digests that a policy excepts from the list of known vulnerable firmware. */
  readonly allowKnownVulnerable: readonly string[];
}

export interface VerifiedBootSet {
  readonly launchDigest: string;
  /** Of the ID block; undefined without one. */
  readonly signed:
    | { readonly idKeyDigest: string; readonly guestSvn: number; readonly author?: string }
    | undefined;
}

/**
 * Every file is read, and every digest computed anew.
 *
 * @throws A3sError `boot-set-invalid` for a file or an ID block that does not match,
 * `boot-set-missing` for a set without confidential boxes, `known-vulnerable`
 */
export async function verifyBootSet(question: BootSetQuestion): Promise<VerifiedBootSet> {
  const { set, tee, cpus, idBlock, allowKnownVulnerable: allowed } = question;
  await checkFiles(set);
  const inputs = await launchInputs(set, tee, cpus);
  const { digest } = measureOvmf(inputs);
  const signed = idBlock === undefined ? undefined : checkIdBlock(set, digest, idBlock);
  const { confidential } = set;
  if (confidential === undefined) throw new TypeError('its launch was measured');
  const what = `trust the boot set ${set.id}`;
  refuseVulnerable(what, confidential, allowed);
  const entry = findVulnerable('launch', digest);
  // The firmware determines this digest, so a policy that excepts the firmware excepts the digest.
  if (
    entry !== undefined &&
    ![digest, confidential.firmwareDigest].some((one) => allowed.includes(one))
  ) {
    throw knownVulnerable(what, entry);
  }
  return { launchDigest: digest, signed };
}

async function checkFiles(set: BootSet): Promise<void> {
  for (const [name, { sha256 }] of filesOf(set.document)) {
    const found = await sha256OfFile(join(set.directory, name));
    if (found !== sha256) throw invalid(set, `${name} has the SHA-256 ${found}, and not ${sha256}`);
  }
}

function checkIdBlock(
  set: BootSet,
  launchDigest: string,
  { block, auth, ...expected }: ExpectedIdBlock,
): VerifiedBootSet['signed'] {
  const { idBlock, ...digests } = verified(set, block, auth);
  const signedDigest = hex(idBlock.launchDigest);
  if (signedDigest !== launchDigest) {
    throw invalid(set, `its ID block is for the launch ${signedDigest}, and not ${launchDigest}`);
  }
  const idKeyDigest = hex(digests.idKeyDigest);
  const author = digests.authorKeyDigest === undefined ? undefined : hex(digests.authorKeyDigest);
  requireKey(set, 'ID', expected.idKeyDigest, idKeyDigest);
  requireKey(set, 'author', expected.authorKeyDigest, author);
  const { guestSvn } = idBlock;
  return { idKeyDigest, guestSvn, ...(author === undefined ? {} : { author }) };
}

function verified(
  set: BootSet,
  block: Uint8Array,
  auth: Uint8Array,
): ReturnType<typeof verifyIdBlock> {
  try {
    return verifyIdBlock(block, auth);
  } catch (cause) {
    throw invalid(set, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function requireKey(
  set: BootSet,
  what: string,
  expected: string | undefined,
  found: string | undefined,
): void {
  if (expected === undefined || expected === found) return;
  throw invalid(set, `the ${what} key is ${found ?? 'none'}, and not ${expected}`);
}

function invalid({ id }: BootSet, why: string, cause?: unknown): A3sError {
  return new A3sError('boot-set-invalid', `Cannot verify the boot set ${id}: ${why}`, {
    remedy: 'Import it again from where it is trusted, or sign it again with a3s-box boot sign.',
    cause,
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
