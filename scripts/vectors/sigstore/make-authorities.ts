/**
 * The authorities of the vectors: made anew for each run, so that a vector has its own trusted
 * root.
 *
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import {
  pair,
  rootText,
  type SigstoreWorld,
  sigstoreWorld,
} from '../../../src/trust/testing/sigstore-world.ts';
import { TestLog } from './test-log.ts';

export const CLOCK = new Date((Math.floor(Date.now() / 1000) + 60) * 1000);
const MINUTE = 60_000;

/** The trusted root as JSON; authorities are changed in place before it is written. */
export interface RootDocument {
  readonly mediaType: string;
  tlogs: object[];
  ctlogs: object[];
  certificateAuthorities: object[];
  timestampAuthorities: object[];
}

export interface Authorities {
  readonly main: SigstoreWorld;
  /** Nobody trusts it. */
  readonly other: SigstoreWorld;
  /** Its timestamps, which are trusted, are after the time of every certificate. */
  readonly late: SigstoreWorld;
  /** Its timestamps are after the time of the authority's own certificate. */
  readonly expired: SigstoreWorld;
  /** Rekor v1 and v2. */
  readonly v1: TestLog;
  readonly v2: TestLog;
  readonly strange: TestLog;
  readonly long384: TestLog;
  readonly long521: TestLog;
  /**
   * With the logs of long keys, and the authorities of late timestamps, where that is asked for.
   */
  root(all?: 'all'): RootDocument;
}

export async function makeAuthorities(): Promise<Authorities> {
  const world = (minutes: number) =>
    sigstoreWorld({ clock: CLOCK, stampClock: new Date(CLOCK.getTime() + minutes * MINUTE) });
  const [main, other, late] = [await world(0), await world(0), await world(60)];
  const expired = await world(2 * 365 * 24 * 60);
  const on = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
  const v1 = new TestLog('https://rekor.example', pair(), 'sha256');
  const v2 = new TestLog('https://log2026.rekor.example', generateKeyPairSync('ed25519'), null);
  const strange = new TestLog(
    'https://log2026.rekor.example',
    generateKeyPairSync('ed25519'),
    null,
  );
  const long384 = new TestLog('https://long.example/384', on('P-384'), 'sha384');
  const long521 = new TestLog('https://long.example/521/', on('P-521'), 'sha512');
  return {
    ...{ main, other, late, expired, v1, v2, strange, long384, long521 },
    root: (which) => ({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [
        v1.instance('PKIX_ECDSA_P256_SHA_256'),
        v2.instance('PKIX_ED25519'),
        ...(which === undefined
          ? []
          : [
              long384.instance('PKIX_ECDSA_P384_SHA_384'),
              long521.instance('PKIX_ECDSA_P521_SHA_512'),
            ]),
      ],
      ctlogs: partsOf(main, 'ctlogs'),
      certificateAuthorities: partsOf(main, 'certificateAuthorities'),
      timestampAuthorities: (which === undefined ? [main] : [main, late, expired]).flatMap((one) =>
        partsOf(one, 'timestampAuthorities'),
      ),
    }),
  };
}

function partsOf(
  world: SigstoreWorld,
  kind: 'ctlogs' | 'certificateAuthorities' | 'timestampAuthorities',
): object[] {
  const document: RootDocument = JSON.parse(rootText(world));
  return document[kind];
}
