/**
 * Verified reports per second, beside the calls of `node:crypto` that every verifier needs, and
 * beside Tinfoil's verifier.
 *
 * @module
 */
import { constants, createPublicKey, verify as isSignedBy, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { build } from 'esbuild';
import {
  ecSubjectPublicKeyInfo,
  rsaSubjectPublicKeyInfo,
} from '../../../attestation/src/certificates/keys.ts';
import { parseVek, type Vek } from '../../../attestation/src/certificates/vek.ts';
import { parseReport } from '../../../attestation/src/report/parse.ts';
import { signatureOf, signedBytes } from '../../../attestation/src/report/parsed-report.ts';
import { answerNow } from '../../../attestation/src/verify/node-signatures.ts';
import { tracedVerification } from '../../../attestation/src/verify/run.ts';
import { type AmdNamed, amdNamedGenoa, reportDataOf } from '../../../test/peers/amd-named.ts';
import { tinfoilVerifiesUnder } from '../../../test/peers/tinfoil.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { alone, compared } from '../../statistics.ts';

/** More keys than the verifier keeps, so that each is new to it. */
const CHIPS = 300;

/** What is left once everything is parsed and the intermediate's key is imported. */
class Bare {
  readonly #intermediate: KeyObject;
  readonly #vek: Vek;
  readonly #signed: Uint8Array;
  readonly #signature: Uint8Array;
  #kept: KeyObject | undefined;

  constructor({ evidence }: AmdNamed, intermediate: KeyObject) {
    this.#intermediate = intermediate;
    this.#vek = parseVek(evidence.vek);
    const report = parseReport(evidence.report);
    this.#signed = signedBytes(report);
    this.#signature = signatureOf(report);
  }

  /** With a VEK that was never seen before. */
  cold(): void {
    this.#check(imported(ecSubjectPublicKeyInfo(this.#vek.publicKey)));
  }

  /** With one that was. */
  warm(): void {
    this.#kept ??= imported(ecSubjectPublicKeyInfo(this.#vek.publicKey));
    this.#check(this.#kept);
  }

  #check(key: KeyObject): void {
    const { tbs, signature } = this.#vek;
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const rsa = { key: this.#intermediate, padding, saltLength: 48 };
    const ecdsa = { key, dsaEncoding: 'ieee-p1363' } as const;
    const holds =
      isSignedBy('sha384', tbs, rsa, signature) &&
      isSignedBy('sha384', this.#signed, ecdsa, this.#signature);
    if (!holds) throw new Error('a signature does not hold');
  }
}

function imported(spki: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
}

/**
 * Calls per second of each contestant, `samples` times, in turns: a busy machine slows all alike.
 */
async function rates<Name extends string>(
  { samples, signal }: Asked,
  contestants: Readonly<Record<Name, { readonly count: number; call(index: number): unknown }>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    number[]
  >;
  for (let sample = 0; sample <= samples; sample += 1) {
    for (const name of names) {
      signal.throwIfAborted();
      const { count, call } = contestants[name];
      const started = performance.now();
      for (let index = 0; index < count; index += 1) await call(index);
      // The first time is for the compiler and does not count.
      if (sample > 0) figures[name].push((count * 1000) / (performance.now() - started));
    }
  }
  return figures;
}

function ours({ evidence, anchors, now }: AmdNamed): void {
  answerNow(tracedVerification(evidence, anchors, { now }));
}

/** Of the entry for browsers, minified, with and without the parser of policies; in KiB. */
async function bundleSize(contents: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(import.meta.dirname, '../../..') },
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'esm',
    conditions: ['a3s-source'],
    write: false,
  });
  return (outputFiles[0]?.contents.length ?? 0) / 1024;
}

export const verify: Benchmark = {
  name: 'verify',
  async run(asked) {
    const first = amdNamedGenoa(reportDataOf('benchmark'));
    const intermediate = imported(rsaSubjectPublicKeyInfo(first.anchors.products.Genoa.ask));
    const bare = new Bare(first, intermediate);
    // One chain and many chips, as at a relying party.
    const { anchors } = first;
    const chips = Array.from({ length: CHIPS }, (_, index) => ({
      ...amdNamedGenoa(reportDataOf('benchmark'), `chip ${index}`),
      anchors,
    }));
    const bares = chips.map((chip) => new Bare(chip, intermediate));
    const at = <T>(list: readonly T[], index: number): T => list[index] ?? fail();
    const { report, vek } = first.evidence;

    const { warm, bareWarm, cold, bareCold, theirs } = await rates(asked, {
      warm: { count: CHIPS, call: () => ours(first) },
      bareWarm: { count: CHIPS, call: () => bare.warm() },
      cold: { count: CHIPS, call: (index) => ours(at(chips, index)) },
      bareCold: { count: CHIPS, call: (index) => at(bares, index).cold() },
      theirs: { count: CHIPS / 10, call: () => tinfoilVerifiesUnder(first, report, vek) },
    });
    const entry = "export * from '@a3s-box/attestation/browser';";
    const parser = "export * from '@a3s-box/policies/attestation-policy';";
    return [
      compared(
        'verify, VEK seen before',
        'reports/s',
        warm,
        { name: 'node:crypto', samples: bareWarm },
        '> 0.8',
      ),
      compared(
        'verify, VEK new',
        'reports/s',
        cold,
        { name: 'node:crypto', samples: bareCold },
        '',
      ),
      compared(
        'verify, VEK new',
        'reports/s',
        cold,
        { name: '@tinfoilsh/verifier', samples: theirs },
        '> 1',
      ),
      alone('browser entry, minified', 'KiB', [await bundleSize(entry)], '< 60'),
      alone('browser entry and policies', 'KiB', [await bundleSize(entry + parser)], ''),
    ];
  },
};

function fail(): never {
  throw new RangeError('no such chip');
}
