/**
 * Writes the test vectors in `test/vectors`: `generate-vectors [--all]`, from the root of the
 * checkout. Existing vectors are kept, since every signature comes out differently; `--all` makes
 * them again.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { appraisalVectors } from './vectors/appraisal/appraisal.ts';
import { authorityVectors } from './vectors/authorities.ts';
import { bindingVectors } from './vectors/binding.ts';
import { certificateVectors } from './vectors/certificates.ts';
import { checkEvidence, checkLaunchSpec, checkReport } from './vectors/check.ts';
import { extensionVectors } from './vectors/extensions.ts';
import {
  type EvidenceVector,
  evidenceDocument,
  launchSpecDocument,
  reportDocument,
} from './vectors/format.ts';
import { launchSpecVectors } from './vectors/launch-spec/launch-spec.ts';
import { launchSpecRuleVectors } from './vectors/launch-spec/rules.ts';
import { processor } from './vectors/processor.ts';
import { checkRatls, ratlsDocument, ratlsVectors } from './vectors/ratls.ts';
import { reportVectors } from './vectors/reports.ts';
import { revocationVectors } from './vectors/revocation.ts';
import { checkSealing, sealingDocument, sealingVectors } from './vectors/sealing.ts';
import { checkSigstore, sigstoreVectors } from './vectors/sigstore.ts';

const ROOT = 'test/vectors';

const AREAS: Readonly<Record<string, () => readonly EvidenceVector[]>> = {
  certificates: certificateVectors,
  extensions: extensionVectors,
  authorities: authorityVectors,
  revocation: revocationVectors,
  binding: bindingVectors,
  appraisal: appraisalVectors,
};

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { all: { type: 'boolean', default: false } } });
  const keep = !values.all;
  const reports = reportVectors();
  const wrong = reports.flatMap(checkReport);
  let written = write('reports', reports, reportDocument, keep);
  for (const [area, make] of Object.entries(AREAS)) {
    const vectors = make();
    wrong.push(...vectors.flatMap(checkEvidence));
    written += write(area, vectors, evidenceDocument, keep);
  }
  const specs = [...launchSpecVectors(), ...launchSpecRuleVectors()];
  wrong.push(...specs.flatMap(checkLaunchSpec));
  written += write('launch-spec', specs, launchSpecDocument, keep);
  const peers = ratlsVectors();
  wrong.push(...peers.flatMap(checkRatls));
  written += write('ratls/certificates', peers, ratlsDocument, keep);
  const sealed = await sealingVectors();
  for (const vector of sealed) wrong.push(...(await checkSealing(vector)));
  const envelopes = await Promise.all(
    sealed.map(async (vector) => ({ name: vector.name, document: await sealingDocument(vector) })),
  );
  written += write('sealing', envelopes, ({ document }) => document, keep);
  const signatures = await sigstoreVectors();
  for (const vector of signatures) wrong.push(...(await checkSigstore(vector)));
  written += write('sigstore', signatures, (vector) => vector, keep);
  writeFileSync(`${ROOT}/roots.pem`, processor().roots().pem);
  const areas = [
    ...['reports', ...Object.keys(AREAS), 'launch-spec', 'ratls/certificates'],
    ...['sealing', 'sigstore'],
  ].map((area) => `${ROOT}/${area}`);
  spawnSync('node_modules/.bin/biome', ['format', '--write', ...areas], { stdio: 'inherit' });
  console.log(`${written} vectors written`);
  for (const line of wrong) console.error(line);
  if (wrong.length > 0) process.exitCode = 1;
}

function write<V extends { readonly name: string }>(
  area: string,
  vectors: readonly V[],
  document: (vector: V) => object,
  keep: boolean,
): number {
  mkdirSync(`${ROOT}/${area}`, { recursive: true });
  const files = vectors.map((vector) => ({ path: `${ROOT}/${area}/${vector.name}.json`, vector }));
  if (new Set(files.map(({ path }) => path)).size < files.length) {
    throw new Error(`two vectors in ${area} have one name`);
  }
  const missing = files.filter(({ path }) => !keep || !existsSync(path));
  for (const { path, vector } of missing) {
    writeFileSync(path, `${JSON.stringify(document(vector), null, 2)}\n`);
  }
  return missing.length;
}

await main();
