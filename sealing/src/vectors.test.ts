import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { derivedKey, parseEnvelope, referenceOf, seal, unseal } from './envelope.ts';
import { SEALING_CODES, type SealingCode, SealingError } from './errors.ts';
import { encodeHeader } from './header.ts';
import { keyRequestOf } from './key-request.ts';
import { requirePermitted, type SealingGuest } from './permit.ts';

const VECTORS = new URL('../../test/vectors/sealing/', import.meta.url);

interface Accepted {
  readonly request: { readonly fields: number; readonly guestSvn: number; readonly tcb: string };
  readonly salt: string;
  readonly value: string;
  readonly derived: string;
  readonly reference: string;
}

interface Vector {
  readonly name: string;
  readonly guest: Omit<SealingGuest, 'hostData' | 'measurement' | 'idKeyDigest'> & {
    readonly hostData: string;
    readonly measurement: string;
    readonly idKeyDigest: string;
  };
  readonly processorKey: string;
  readonly purpose: string;
  readonly envelope: string;
  readonly expected: SealingCode | Accepted;
}

const vectors = readdirSync(VECTORS).map(
  (file): Vector => JSON.parse(readFileSync(new URL(file, VECTORS), 'utf8')),
);
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const base64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

async function opened({ guest, processorKey, purpose, envelope }: Vector) {
  const bytes = base64(envelope);
  const { header } = parseEnvelope(bytes);
  const { hostData, measurement, idKeyDigest, ...rest } = guest;
  const digests = { hostData: hex(hostData), measurement: hex(measurement) };
  requirePermitted(header, { ...rest, ...digests, idKeyDigest: hex(idKeyDigest) }, purpose);
  return { header, value: await unseal(bytes, hex(processorKey)) };
}

describe('vectors of sealing', () => {
  it.for(vectors)('decides the envelope of the vector $name', async (vector) => {
    const { expected, envelope, processorKey } = vector;
    if (typeof expected === 'string') {
      await expect(opened(vector)).rejects.toThrow(expect.objectContaining({ code: expected }));
      await expect(opened(vector)).rejects.toBeInstanceOf(SealingError);
      return;
    }
    const { header, value } = await opened(vector);
    const { guestFieldSelect, guestSvn, tcbVersion } = keyRequestOf(header);
    expect({
      request: { fields: Number(guestFieldSelect), guestSvn, tcb: `${tcbVersion}` },
      salt: Buffer.from(header.salt).toString('hex'),
      value: Buffer.from(value).toString('base64'),
      derived: Buffer.from(await derivedKey(header, hex(processorKey))).toString('hex'),
      reference: Buffer.from(await referenceOf(header, hex(processorKey))).toString('base64'),
    }).toEqual(expected);
    const again = await seal(value, header, hex(processorKey));
    expect(Buffer.from(again).toString('base64')).toBe(envelope);
    expect(encodeHeader(header)).toEqual(parseEnvelope(again).headerBytes);
  });

  it('finds a vector for each rule among the vectors', () => {
    const codes = new Set(vectors.map(({ expected }) => expected));
    expect(Object.keys(SEALING_CODES).filter((code) => !codes.has(code as SealingCode))).toEqual(
      [],
    );
  });
});
