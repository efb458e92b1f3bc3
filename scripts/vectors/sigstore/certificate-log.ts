/**
 * A certificate authority whose certificates have an SCT with an extension, as logs after the
 * static CT API (github.com/C2SP/C2SP, `static-ct-api`) give them.
 *
 * @module
 */
import { createHash, type KeyObject, sign } from 'node:crypto';
import { initializeCA } from '@sigstore/mock';
import { pair } from '../../../src/trust/testing/sigstore-world.ts';

/** `leaf_index`, with the index 7. */
const EXTENSION = Buffer.from('0000050000000007', 'hex');

/** The authority, and the public key of its log. */
export async function authorityWithExtensions(clock: Date) {
  const { publicKey, privateKey } = pair();
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const logID = createHash('sha256').update(spki).digest();
  const certificateLog = {
    publicKey: spki,
    logID: new Uint8Array(logID),
    log: async (certificate: ArrayBuffer, issuerHash: ArrayBuffer): Promise<ArrayBuffer> => {
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(clock.getTime()));
      const extensions = withLength(2, EXTENSION);
      // RFC 6962 section 3.2: version, type of signature, time, type of entry, the entry.
      const signed = Buffer.concat([
        Buffer.of(0, 0),
        time,
        Buffer.of(0, 1),
        Buffer.from(issuerHash),
        withLength(3, tbsOf(Buffer.from(certificate))),
        extensions,
      ]);
      const signature = withLength(2, sign('sha256', signed, privateKey));
      const sct = Buffer.concat([
        Buffer.of(0),
        logID,
        time,
        extensions,
        // SHA-256, ECDSA.
        Buffer.of(4, 3),
        signature,
      ]);
      // With its length, as one of a list.
      return new Uint8Array(withLength(2, sct)).buffer;
    },
  };
  return { authority: await initializeCA(pair(), certificateLog, clock), logKey: publicKey };
}

export function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

function withLength(bytes: number, content: Buffer): Buffer {
  const length = Buffer.alloc(bytes);
  length.writeUIntBE(content.length, 0, bytes);
  return Buffer.concat([length, content]);
}

/** What of a certificate is signed: the first value in it. Both have lengths of two bytes. */
function tbsOf(certificate: Buffer): Buffer {
  const start = 4;
  return certificate.subarray(start, start + 4 + certificate.readUInt16BE(start + 2));
}
