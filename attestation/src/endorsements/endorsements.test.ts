import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AttestationError } from '../errors.ts';
import { claimsOfVersion, sampleReport, TURIN_CLAIMS } from '../report/testing/sample.ts';
import { Endorsements } from './endorsements.ts';
import { KdsClient } from './kds.ts';
import { EndorsementStore } from './store/store.ts';
import {
  crlDer,
  endorsementDer,
  GENOA,
  MILAN,
  NOW,
  TURIN,
  vcekDer,
  vlekDer,
} from './testing/certificates.ts';
import { testDirectory } from './testing/directory.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { answer, KdsServer } from './testing/kds-server.ts';
import { refusal } from './testing/refusal.ts';
import { vcekUrl } from './urls.ts';

const ATTEMPT = 15_001;
const DAY = 24 * 60 * 60 * 1000;
const REPORT = sampleReport({ chipId: MILAN.chipId, reportedTcb: MILAN.tcb });
const CRL_PATH = '/vcek/v1/Milan/crl';
const MILAN_FILE = `vcek/${MILAN.chipId}/bl04_tee00_snp24_ucode219_vcek.der`;

let server: KdsServer;
let kds: KdsClient;
let directory: string;
let store: EndorsementStore;
let online: Endorsements;
let offline: Endorsements;

beforeEach(async () => {
  server = await KdsServer.start();
  server.endorse(MILAN, GENOA, TURIN);
  kds = new KdsClient({
    baseUrl: server.url,
    clock: new FakeClock(NOW, [ATTEMPT]),
    limits: { attemptTimeout: ATTEMPT },
  });
  directory = testDirectory();
  store = new EndorsementStore({ directory, verifyCrl: () => {}, verifyVek: () => {} });
  online = new Endorsements({ store, kds });
  offline = new Endorsements({ store });
});

afterEach(() => server.stop());

/** The service answers the next three requests with 503. */
function breakDown(): void {
  server.script.push(answer('', 503), answer('', 503), answer('', 503));
}

function later(milliseconds: number): Date {
  return new Date(NOW.getTime() + milliseconds);
}

describe('complete', () => {
  it('adds a VCEK and a revocation list to evidence, and requests each once', async () => {
    for (let time = 0; time < 2; time += 1) {
      const { evidence, crl, crlObtainedAt } = await online.complete(
        { report: REPORT },
        { now: NOW },
      );
      expect(evidence).toEqual({ report: REPORT, vek: await store.vcek(MILAN) });
      expect(crl).toEqual(crlDer());
      expect(crlObtainedAt).toEqual(NOW);
    }
    expect(server.requests).toEqual([vcekUrl(MILAN, ''), CRL_PATH]);
  });

  it('completes evidence without a store', async () => {
    const { evidence, crl } = await new Endorsements({ kds }).complete({ report: REPORT });
    expect(evidence.vek).toEqual(expect.any(Uint8Array));
    expect(crl).toEqual(crlDer());
  });

  it('completes evidence offline from a store that was filled before', async () => {
    await online.complete({ report: REPORT }, { now: NOW });
    await server.stop();
    const { crl } = await offline.complete({ report: REPORT }, { now: NOW });
    server = await KdsServer.start();
    expect(crl).toEqual(crlDer());
  });

  it('requests the VCEK of a Turin by the eight bytes of its HWID', async () => {
    const report = sampleReport({
      ...TURIN_CLAIMS,
      chipId: TURIN.chipId.padEnd(128, '0'),
      reportedTcb: TURIN.tcb,
    });
    await online.complete({ report }, { now: NOW });
    expect(server.requests).toEqual([vcekUrl(TURIN, ''), '/vcek/v1/Turin/crl']);
  });

  it('passes on the certificates that came with the evidence, and stores none of them', async () => {
    const vek = vcekDer(MILAN);
    const authorities = [Uint8Array.of(1)];
    const { evidence } = await online.complete({ report: REPORT, vek, authorities }, { now: NOW });
    expect(evidence).toEqual({ report: REPORT, vek, authorities });
    expect(server.requests).toEqual([CRL_PATH]);
    expect(await store.vcek(MILAN)).toBeUndefined();
  });

  it('requests no revocation list where the caller wants none', async () => {
    const complete = await online.complete({ report: REPORT }, { revocation: false });
    expect(complete).not.toHaveProperty('crl');
    expect(server.requests).toEqual([vcekUrl(MILAN, '')]);
  });

  it('requests the revocation list of VLEKs for a report that a VLEK signed', async () => {
    const keyInfo = { authorKeyEn: false, maskChipKey: false, signingKey: 'VLEK' } as const;
    const report = sampleReport({ keyInfo });
    await online.complete({ report, vek: vlekDer('Milan') }, { now: NOW });
    expect(server.requests).toEqual(['/vlek/v1/Milan/crl']);
    const error = await refusal(() => online.complete({ report }));
    expect(error.code).toBe('kds-unsupported');
    expect(error.remedy).toContain('cloud provider');
  });

  it('refuses to fetch a VCEK for a report that hides its chip', async () => {
    const report = sampleReport({ chipId: '00'.repeat(64) });
    expect((await refusal(() => online.complete({ report }))).code).toBe('kds-unsupported');
    expect(server.requests).toEqual([]);
  });

  it('takes the product of a version 2 report from its certificate alone', async () => {
    const report = sampleReport(claimsOfVersion(2));
    const error = await refusal(() => online.complete({ report }));
    expect(error.code).toBe('kds-unsupported');
    expect(error.message).toContain('version 2');
    await online.complete({ report, vek: vcekDer(GENOA) }, { now: NOW });
    await online.complete({ report, vek: vlekDer('Milan') }, { now: NOW });
    expect(server.requests).toEqual(['/vcek/v1/Genoa/crl', CRL_PATH]);
    const strange = endorsementDer({ ...MILAN, hwid: MILAN.chipId, issuer: 'SEV-Naples' });
    const refused = await refusal(() => online.complete({ report, vek: strange }));
    expect(refused.code).toBe('vek-issuer');
    expect(refused.found).toBe('SEV-Naples');
  });

  it('requests nothing for a malformed report', async () => {
    const report = REPORT.subarray(1);
    expect((await refusal(() => online.complete({ report }))).code).toBe('report-length');
    expect(server.requests).toEqual([]);
  });

  it('rejects with the reason of the abort signal', async () => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(online.complete({ report: REPORT }, { signal })).rejects.toBe(reason);
  });
});

describe('vcek', () => {
  it('reports offline that the store has no such VCEK', async () => {
    const error = await refusal(() => offline.vcek(MILAN));
    expect(error.code).toBe('kds-unreachable');
    expect(error.remedy).toContain('import');
  });

  it('fetches a VCEK again when its stored file is damaged', async () => {
    await online.vcek(MILAN);
    await writeFile(join(directory, MILAN_FILE), 'damaged');
    const der = await online.vcek(MILAN);
    expect(server.requests).toHaveLength(2);
    expect(await store.vcek(MILAN)).toEqual(der);
  });

  it('refuses a damaged stored VCEK while the service is unreachable, and names the file', async () => {
    await online.vcek(MILAN);
    await writeFile(join(directory, MILAN_FILE), 'damaged');
    breakDown();
    for (const endorsements of [offline, online]) {
      const error = await refusal(() => endorsements.vcek(MILAN));
      expect(error.code).toBe('store-malformed');
      expect(error.message).toContain(MILAN_FILE);
    }
  });

  it('reports a store that cannot be used', async () => {
    const unusable = new EndorsementStore({ directory: '/dev/null' });
    const endorsements = new Endorsements({ store: unusable, kds });
    expect((await refusal(() => endorsements.vcek(MILAN))).code).toBe('store-unusable');
  });

  it('reports a VCEK that the service does not have', async () => {
    const error = await refusal(() => online.vcek({ ...MILAN, chipId: '01'.repeat(64) }));
    expect(error.code).toBe('kds-not-found');
  });
});

describe('crl', () => {
  it('fetches a revocation list again once it is older than a day, or than the given age', async () => {
    await online.crl('VCEK', 'Milan', { now: NOW });
    await online.crl('VCEK', 'Milan', { now: later(DAY) });
    expect(server.requests).toHaveLength(1);
    const { obtainedAt } = await online.crl('VCEK', 'Milan', { now: later(DAY + 1) });
    expect(obtainedAt).toEqual(later(DAY + 1));
    expect(server.requests).toHaveLength(2);
    await online.crl('VCEK', 'Milan', { now: later(DAY + 1), maxCrlAge: -1 });
    expect(server.requests).toHaveLength(3);
  });

  it('fetches a revocation list again once it is past its next update', async () => {
    const nextUpdate = later(1000);
    const old = { der: crlDer({ number: 3n, nextUpdate }), obtainedAt: NOW };
    await store.putCrl('VCEK', 'Milan', old, NOW);
    expect((await online.crl('VCEK', 'Milan', { now: nextUpdate })).der).toEqual(old.der);
    expect((await online.crl('VCEK', 'Milan', { now: later(1001) })).der).toEqual(crlDer());
  });

  it('returns the stored revocation list and its time while the service is unreachable', async () => {
    await online.crl('VCEK', 'Milan', { now: NOW });
    breakDown();
    const kept = { der: crlDer(), obtainedAt: NOW };
    expect(await online.crl('VCEK', 'Milan', { now: later(9 * DAY) })).toEqual(kept);
    server.script.push(answer('', 429, { 'retry-after': '600' }));
    expect(await online.crl('VCEK', 'Milan', { now: later(10 * DAY) })).toEqual(kept);
    expect(await offline.crl('VCEK', 'Milan', { now: later(10 * DAY) })).toEqual(kept);
  });

  it('asks for no revocation list for five minutes after the service was unreachable', async () => {
    await online.crl('VCEK', 'Milan', { now: NOW });
    breakDown();
    await online.crl('VCEK', 'Milan', { now: later(2 * DAY) });
    expect(server.requests).toHaveLength(4);
    const minutes = (count: number) => ({ now: later(2 * DAY + count * 60_000) });
    expect((await online.crl('VCEK', 'Milan', minutes(4))).obtainedAt).toEqual(NOW);
    expect(server.requests).toHaveLength(4);
    expect((await online.crl('VLEK', 'Milan', minutes(4))).der).toEqual(crlDer());
    const { obtainedAt } = await online.crl('VCEK', 'Milan', minutes(5));
    expect(obtainedAt).toEqual(minutes(5).now);
    expect(server.requests).toHaveLength(6);
  });

  it('reports an unreachable service when no revocation list is stored', async () => {
    breakDown();
    expect((await refusal(() => online.crl('VCEK', 'Milan'))).code).toBe('kds-unreachable');
    expect((await refusal(() => offline.crl('VCEK', 'Milan'))).code).toBe('kds-unreachable');
  });

  it('refuses an older revocation list than the stored one from the service', async () => {
    const kept = { der: crlDer({ number: 5n }), obtainedAt: NOW };
    await store.putCrl('VCEK', 'Milan', kept, NOW);
    const error = await refusal(() => online.crl('VCEK', 'Milan', { now: later(2 * DAY) }));
    expect(error.code).toBe('crl-rollback');
    expect(await store.crl('VCEK', 'Milan', NOW)).toEqual(kept);
  });

  it('refuses a revocation list that is not genuine, even when one is stored', async () => {
    await online.crl('VCEK', 'Milan', { now: NOW });
    const strict = new EndorsementStore({
      directory,
      verifyCrl: () => {
        throw new AttestationError('crl-signature', 'not signed');
      },
    });
    const endorsements = new Endorsements({ store: strict, kds });
    const error = await refusal(() => endorsements.crl('VCEK', 'Milan', { now: later(2 * DAY) }));
    expect(error.code).toBe('crl-signature');
  });

  it('refuses an answer that is no revocation list, and does not fall back to the stored one', async () => {
    await online.crl('VCEK', 'Milan', { now: NOW });
    server.script.push(answer('<html></html>'));
    const error = await refusal(() => online.crl('VCEK', 'Milan', { now: later(2 * DAY) }));
    expect(error.code).toBe('kds-response');
    await online.crl('VCEK', 'Milan', { now: later(2 * DAY) });
    expect(server.requests).toHaveLength(3);
  });

  it('fetches a revocation list again when its stored file is damaged', async () => {
    await online.crl('VCEK', 'Milan', { now: NOW });
    await writeFile(join(directory, 'crl', 'Milan-vcek-4.crl'), 'damaged');
    expect((await online.crl('VCEK', 'Milan', { now: NOW })).der).toEqual(crlDer());
    expect(server.requests).toHaveLength(2);
  });
});
