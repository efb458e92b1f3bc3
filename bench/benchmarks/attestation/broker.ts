/**
 * Secrets that the broker releases to guests of a simulated processor, beside the two signatures
 * that it has to verify for a guest of a processor that it does not know: its key's and its
 * report's. Of the next guest it verifies the report's alone.
 *
 * @module
 */
import { constants, createPublicKey, verify as isSignedBy, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ecSubjectPublicKeyInfo } from '../../../attestation/src/certificates/keys.ts';
import { parseVek } from '../../../attestation/src/certificates/vek.ts';
import { parseReport } from '../../../attestation/src/report/parse.ts';
import { signatureOf, signedBytes } from '../../../attestation/src/report/parsed-report.ts';
import {
  launchGuest,
  policyDocument,
  startTestBroker,
  type TestBroker,
} from '../../../src/broker/testing/test-broker.ts';
import { TestGuest } from '../../../src/broker/testing/test-guest.ts';
import { openDatabase } from '../../../src/state/database.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { compared, timed } from '../../statistics.ts';

const API = '/v1/tenants/default';
const PATH = 'default/db/password';
const AT_ONCE = 8;
/** Guests of a sample. */
const GUESTS = 24;
/** Of an entry of the audit log. */
const ENTRY_BYTES = 1024;
const LIMITS = 'requestsPerSecond: 10000, burst: 10000, requestsPerSecondOfAll: 100000';

/**
 * What else no broker in Node can leave out: three requests over HTTP, and the entries of the audit
 * log for attestation and release, which are on the disk before the guest gets its answers.
 */
async function openFloor(): Promise<{ readonly pass: () => Promise<void> } & AsyncDisposable> {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-bench-floor-'));
  const database = openDatabase(join(directory, 'log.db'), ['CREATE TABLE log (entry TEXT)']);
  const insert = database.prepare('INSERT INTO log VALUES (?)');
  const server = createServer((incoming, outgoing) => {
    incoming.resume().on('end', () => outgoing.end('{}'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    pass: async () => {
      for (const isLogged of [false, true, true]) {
        if (isLogged) insert.run('entry'.padEnd(ENTRY_BYTES));
        await (await fetch(url, { method: 'POST', body: '{}' })).json();
      }
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      database.close();
      rmSync(directory, { recursive: true });
    },
  };
}

/** What is left of a verification once everything is parsed and every key is imported. */
function signatures(): () => void {
  const { evidence } = launchGuest().report({ reportData: new Uint8Array(64) });
  const { vek: der, authorities: [ask] = [] } = evidence;
  if (der === undefined || ask === undefined) throw new Error('the processor shows its chain');
  const vek = parseVek(der);
  const report = parseReport(evidence.report);
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const rsa = { key: new X509Certificate(ask).publicKey, padding, saltLength: 48 };
  const spki = Buffer.from(ecSubjectPublicKeyInfo(vek.publicKey));
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const ecdsa = { key, dsaEncoding: 'ieee-p1363' } as const;
  const [signed, signature] = [signedBytes(report), signatureOf(report)];
  return () => {
    const holds =
      isSignedBy('sha384', vek.tbs, rsa, vek.signature) &&
      isSignedBy('sha384', signed, ecdsa, signature);
    if (!holds) throw new Error('a signature does not hold');
  };
}

interface Pull {
  readonly attest: number;
  readonly release: number;
  /** All three requests; what the guest itself does is not in it. */
  readonly all: number;
}

async function pull(broker: TestBroker): Promise<Pull> {
  const guest = new TestGuest(broker.url, launchGuest());
  let challenged = { cookie: '', nonce: '' };
  const challenge = await timed(async () => {
    challenged = await guest.challenge();
  });
  const attestation = guest.attestation(challenged.nonce);
  let cookie = '';
  const attest = await timed(async () => {
    ({ cookie } = await guest.attest(challenged.cookie, attestation));
  });
  let body: unknown;
  const release = await timed(async () => {
    ({ body } = await guest.resource(cookie, PATH));
  });
  if (guest.decrypt(body) !== 'hunter2') throw new Error('a guest got another secret');
  return { attest, release, all: challenge + attest + release };
}

async function measure({ samples, signal }: Asked, broker: TestBroker) {
  const check = signatures();
  await using floor = await openFloor();
  const pulls: Pull[] = [];
  const bare: number[] = [];
  const least: number[] = [];
  const rates: number[] = [];
  const bareRates: number[] = [];
  for (let sample = 0; sample <= samples; sample += 1) {
    signal.throwIfAborted();
    const alone: Pull[] = [];
    const checks: number[] = [];
    const passes: number[] = [];
    for (let guest = 0; guest < GUESTS; guest += 1) {
      alone.push(await pull(broker));
      const checked = await timed(async () => check());
      checks.push(checked);
      passes.push(checked + (await timed(floor.pass)));
    }
    let next = 0;
    const together = await timed(async () => {
      const workers = Array.from({ length: AT_ONCE }, async () => {
        while (next < GUESTS) {
          next += 1;
          await pull(broker);
        }
      });
      await Promise.all(workers);
    });
    const checked = await timed(async () => {
      for (let guest = 0; guest < GUESTS; guest += 1) check();
    });
    // A client has a limited number of sessions, and all guests have one address here.
    await broker.admin('DELETE', `${API}/sessions`);
    // The first time is for the compiler and does not count.
    if (sample === 0) continue;
    pulls.push(...alone);
    bare.push(...checks);
    least.push(...passes);
    rates.push((GUESTS * 1000) / together);
    bareRates.push((GUESTS * 1000) / checked);
  }
  return { pulls, bare, least, rates, bareRates };
}

export const broker: Benchmark = {
  name: 'broker',
  async run(asked) {
    await using running = await startTestBroker({ limits: LIMITS });
    await running.admin('PUT', `${API}/policies/web`, policyDocument());
    await running.admin('PUT', `${API}/grants/db`, { path: 'default/db/*', policy: 'web' });
    await running.admin('PUT', `${API}/secrets/${PATH}`, Buffer.from('hunter2'));
    const { pulls, bare, least, rates, bareRates } = await measure(asked, running);
    const peer = { name: 'its two signatures', samples: bare };
    const floor = { name: 'signatures, commits, requests', samples: least };
    const ms = (of: keyof Pull) => pulls.map((each) => each[of]);
    return [
      compared('broker-attest', 'ms', ms('attest'), peer, ''),
      compared('broker-release', 'ms', ms('release'), peer, ''),
      compared('broker-pull', 'ms', ms('all'), peer, '< 2'),
      compared('broker-pull-least', 'ms', ms('all'), floor, '< 2'),
      compared(
        'broker-throughput',
        'releases/s',
        rates,
        { name: 'its two signatures', samples: bareRates },
        '> 0.5',
      ),
    ];
  },
};
