/**
 * COSE_Sign1 (RFC 9052) in a CBOR Web Token (RFC 8392).
 *
 * @module
 */
import { decodeCbor } from './cbor-reader.ts';
import { encodeCbor } from './cbor-writer.ts';
import { isTreeMap, type Label, TaggedItem, type Tree, type TreeMap } from './claim-value.ts';
import { MAX_TOKEN_SIZE, malformed } from './malformed.ts';
import { critical, names, type OpenedToken, unknownAlgorithm } from './opened-token.ts';
import { ALGORITHMS, type EarSigningKey, signed } from './signatures.ts';

const SIGN1_TAG = 18;
const CWT_TAG = 61;

/** Header parameters (RFC 9052, section 3.1). */
const ALG = 1;
const CRIT = 2;
const KID = 4;

/** @throws AttestationError `ear-malformed`, `ear-algorithm` or `ear-critical` */
export function openCose(token: Uint8Array): OpenedToken {
  if (token.length > MAX_TOKEN_SIZE)
    throw malformed('the token', `of at most ${MAX_TOKEN_SIZE} bytes`);
  const [protectedBytes, unprotected, payload, signature] = sign1Of(decodeCbor(token, 'the token'));
  const header = protectedOf(protectedBytes);
  if (header.has(CRIT) || unprotected.has(CRIT)) throw critical();
  for (const label of unprotected.keys()) {
    // Anyone who carries the token can change those that are not protected.
    if (label === ALG || header.has(label)) {
      throw malformed('the headers', 'without a label twice, and alg protected');
    }
  }
  const number = header.get(ALG);
  const algorithm = names().find((name) => ALGORITHMS[name].cose === number);
  if (algorithm === undefined) throw unknownAlgorithm(number);
  return { algorithm, signed: toBeSigned(protectedBytes, payload), signature, payload };
}

type Sign1 = readonly [
  protectedBytes: Uint8Array,
  unprotected: TreeMap,
  payload: Uint8Array,
  signature: Uint8Array,
];

function sign1Of(tree: Tree): Sign1 {
  const inner = tree instanceof TaggedItem && tree.tag === CWT_TAG ? tree.item : tree;
  const parts = inner instanceof TaggedItem && inner.tag === SIGN1_TAG ? inner.item : undefined;
  if (Array.isArray(parts) && parts.length === 4) {
    const [header, unprotected, payload, signature] = parts as readonly Tree[];
    const bytes = [header, payload, signature].every((part) => part instanceof Uint8Array);
    if (bytes && isTreeMap(unprotected)) return parts as unknown as Sign1;
  }
  throw malformed('the token', 'a tagged COSE_Sign1 with its payload in it');
}

function protectedOf(bytes: Uint8Array): TreeMap {
  if (bytes.length === 0) return new Map();
  const header = decodeCbor(bytes, 'the protected header');
  if (!isTreeMap(header)) throw malformed('the protected header', 'a map');
  return header;
}

/** Sig_structure, without data from outside. */
function toBeSigned(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeCbor(['Signature1', protectedBytes, new Uint8Array(), payload]);
}

export async function signCose(
  claims: TreeMap,
  key: EarSigningKey,
  keyId: string | undefined,
): Promise<Uint8Array> {
  const protectedBytes = encodeCbor(new Map([[ALG, ALGORITHMS[key.algorithm].cose]]));
  const payload = encodeCbor(claims);
  const signature = await signed(key, toBeSigned(protectedBytes, payload));
  const unprotected = new Map<Label, Tree>(
    keyId === undefined ? [] : [[KID, new TextEncoder().encode(keyId)]],
  );
  return encodeCbor(new TaggedItem(SIGN1_TAG, [protectedBytes, unprotected, payload, signature]));
}
