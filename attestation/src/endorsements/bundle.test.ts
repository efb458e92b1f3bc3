import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { AttestationError } from '../errors.ts';
import { BUNDLE_FORMAT, exportStore, importStore } from './bundle.ts';
import { EndorsementStore } from './store/store.ts';
import { crlDer, GENOA, MILAN, NOW, TURIN, vcekDer, vlekDer } from './testing/certificates.ts';
import { testDirectory } from './testing/directory.ts';
import { refusal } from './testing/refusal.ts';

const EARLIER = new Date(NOW.getTime() - 3_600_000);
const MILAN_DER = base64(vcekDer(MILAN));
const MILAN_CRL = {
  kind: 'VCEK',
  product: 'Milan',
  obtainedAt: '2026-03-01T11:00:00.000Z',
  der: base64(crlDer()),
};

let store: EndorsementStore;

beforeEach(() => {
  store = newStore();
});

function newStore(): EndorsementStore {
  return new EndorsementStore({
    directory: testDirectory(),
    verifyCrl: () => {},
    verifyVek: () => {},
  });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** A bundle of one VCEK and one revocation list, with changed members. */
function bundle(changes: object = {}): Uint8Array {
  return json({ format: BUNDLE_FORMAT, vceks: [MILAN_DER], crls: [MILAN_CRL], ...changes });
}

describe('exportStore and importStore', () => {
  it('imports everything that was exported from another store', async () => {
    for (const request of [MILAN, GENOA, TURIN]) await store.putVcek(vcekDer(request));
    await store.putCrl('VCEK', 'Milan', { der: crlDer(), obtainedAt: EARLIER }, NOW);
    const turin = crlDer({ product: 'Turin' });
    await store.putCrl('VLEK', 'Turin', { der: turin, obtainedAt: NOW }, NOW);
    const bytes = await exportStore(store, NOW);
    const other = newStore();
    expect(await importStore(other, bytes, NOW)).toEqual({ vceks: 3, crls: 2, olderCrls: 0 });
    expect(await exportStore(other, NOW)).toEqual(bytes);
    expect(await other.vcek(TURIN)).toEqual(await store.vcek(TURIN));
    expect(await other.crl('VCEK', 'Milan', NOW)).toEqual({ der: crlDer(), obtainedAt: EARLIER });
  });

  it('exports and imports an empty store', async () => {
    const bytes = await exportStore(store, NOW);
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual({
      format: 'a3s-box/endorsements/v1',
      vceks: [],
      crls: [],
    });
    expect(await importStore(store, bytes, NOW)).toEqual({ vceks: 0, crls: 0, olderCrls: 0 });
  });
});

describe('importStore', () => {
  it('keeps a newer revocation list when an older one is imported', async () => {
    const newer = { der: crlDer({ number: 5n }), obtainedAt: EARLIER };
    await store.putCrl('VCEK', 'Milan', newer, NOW);
    expect(await importStore(store, bundle(), NOW)).toEqual({ vceks: 1, crls: 0, olderCrls: 1 });
    expect(await store.crl('VCEK', 'Milan', NOW)).toEqual(newer);
  });

  it('changes nothing when an imported revocation list is not genuine', async () => {
    const strict = new EndorsementStore({
      directory: testDirectory(),
      verifyCrl: () => {
        throw new AttestationError('crl-validity', 'over');
      },
    });
    expect((await refusal(() => importStore(strict, bundle(), NOW))).code).toBe('crl-validity');
    expect(await strict.vcek(MILAN)).toBeUndefined();
  });

  it('reports a store that cannot be written during an import', async () => {
    const unusable = new EndorsementStore({
      directory: '/dev/null',
      verifyCrl: () => {},
      verifyVek: () => {},
    });
    for (const changes of [{}, { vceks: [] }]) {
      const error = await refusal(() => importStore(unusable, bundle(changes), NOW));
      expect(error.code).toBe('store-unusable');
    }
  });

  it.each<[string, Uint8Array]>([
    ['no JSON', new TextEncoder().encode('{')],
    ['bytes that are no text', Uint8Array.of(0xff)],
    ['another format', bundle({ format: 'a3s-box/endorsements/v2' })],
    ['an unknown key', bundle({ more: 1 })],
    ['a missing key', json({ format: BUNDLE_FORMAT, vceks: [] })],
    ['base64 with a line break', bundle({ vceks: [`${MILAN_DER}\n`] })],
    ['base64 in the other alphabet', bundle({ vceks: ['_-__'] })],
    ['a certificate twice', bundle({ vceks: [MILAN_DER, base64(vcekDer(MILAN))] })],
    ['the certificate of a VLEK', bundle({ vceks: [base64(vlekDer('Milan'))] })],
    ['no certificate', bundle({ vceks: [''] })],
    ['a list twice', bundle({ crls: [MILAN_CRL, MILAN_CRL] })],
    ['the list of another product', bundle({ crls: [{ ...MILAN_CRL, product: 'Genoa' }] })],
    ['an unknown product', bundle({ crls: [{ ...MILAN_CRL, product: '../Milan' }] })],
    ['an unknown kind', bundle({ crls: [{ ...MILAN_CRL, kind: 'vcek' }] })],
    ['no list', bundle({ crls: [{ ...MILAN_CRL, der: base64(vcekDer(MILAN)) }] })],
    [
      'a list from the future',
      bundle({ crls: [{ ...MILAN_CRL, obtainedAt: '2026-03-01T12:00:01Z' }] }),
    ],
    ['a list with an invalid time', bundle({ crls: [{ ...MILAN_CRL, obtainedAt: 'today' }] })],
    ['too many bytes', new Uint8Array(32 * 1024 * 1024 + 1)],
  ])('refuses to import %s', async (_, bytes) => {
    const error = await refusal(() => importStore(store, bytes, NOW));
    expect(error.code).toBe('store-malformed');
    expect(error.expected).toEqual(expect.any(String));
    expect(await store.vcek(MILAN)).toBeUndefined();
    expect(await store.crl('VCEK', 'Milan', NOW)).toBeUndefined();
  });

  it('reports which part of a bundle is malformed', async () => {
    const error = await refusal(() => importStore(store, bundle({ vceks: ['AAAA'] }), NOW));
    expect(error.cause).toMatchObject({ code: 'vek-encoding' });
    const other = await refusal(() => importStore(store, bundle({ more: 1 }), NOW));
    expect(other.found).toBe('unrecognized_keys at /');
  });
});

describe('any bytes', () => {
  const part = fc.oneof(fc.constant(MILAN_DER), fc.base64String(), fc.jsonValue());
  const list = fc.record(
    {
      kind: fc.constant('VCEK'),
      product: fc.constant('Milan'),
      obtainedAt: fc.anything(),
      der: part,
    },
    { requiredKeys: [] },
  );
  const likely = fc
    .record({ format: fc.constant(BUNDLE_FORMAT), vceks: fc.array(part), crls: fc.array(list) })
    .map((value) => json(value));
  const anything = fc.oneof(likely, fc.jsonValue().map(json), fc.uint8Array());

  it(
    'imports any bytes or refuses them',
    async () => {
      await fuzz(
        fc.asyncProperty(anything, async (bytes) => {
          const outcome = await importStore(store, bytes, NOW).catch((error: unknown) => error);
          // No generated part is a revocation list, so an imported bundle never has one.
          expect(outcome).toMatchObject(
            outcome instanceof AttestationError ? { code: 'store-malformed' } : { crls: 0 },
          );
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it(
    'imports a bundle with a byte changed or refuses it',
    async () => {
      const whole = bundle();
      await fuzz(
        fc.asyncProperty(
          fc.nat(whole.length - 1),
          fc.integer({ min: 1, max: 255 }),
          async (at, change) => {
            const bytes = whole.map((byte, index) => (index === at ? byte ^ change : byte));
            const outcome = await importStore(store, bytes, NOW).catch((error: unknown) => error);
            expect(outcome).toMatchObject(
              outcome instanceof AttestationError ? { code: 'store-malformed' } : { vceks: 1 },
            );
          },
        ),
      );
    },
    FUZZ_TIMEOUT,
  );
});
