/**
 * Endorsements of this host's processor, which guests pass on beside their reports. They are not
 * trusted for their origin: a verifier checks them, or fetches its own.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { MAX_CERTIFICATES } from '../../guest/protocol.ts';
import type { Services } from '../services/services.ts';

/** In `A3S_HOME`: a certificate table, as the GHCB specification has it. */
const FILE = 'snp-certificates';

/** Undefined where the owner of this host has put no file there. @throws A3sError `too-large` */
export async function hostCertificates(
  rt: Pick<Services, 'home'>,
): Promise<Uint8Array | undefined> {
  const path = join(rt.home, FILE);
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    if (size <= MAX_CERTIFICATES) return await file.readFile();
    throw new A3sError(
      'too-large',
      `Cannot start the box: ${path} has ${size} bytes, and guests take ${MAX_CERTIFICATES} at most`,
      { remedy: 'Put the certificate table of this host’s processor there, or remove the file.' },
    );
  } finally {
    await file.close();
  }
}
