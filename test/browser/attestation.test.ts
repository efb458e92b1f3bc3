/**
 * The browser entry in a real browser: it is bundled as a web page would bundle it, and says the
 * same to every vector as Node does.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { appraise, verify } from '@a3s-box/attestation';
import { parseSimulatedRoots, verifySimulated } from '@a3s-box/attestation/simulated';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { codeOf } from '../../attestation/src/testing/code-of.ts';
import { AREAS, readVectors, type Vector } from '../../attestation/src/testing/read-vectors.ts';
import { runInBrowser } from './browser.ts';
import type { Answer } from './page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const vectors = join(root, 'test/vectors');
const rootsPem = readFileSync(join(vectors, 'roots.pem'), 'utf8');
const roots = parseSimulatedRoots(rootsPem);

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, entry)],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    conditions: ['a3s-source'],
    minify: true,
    write: false,
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error('nothing was bundled');
  return file.text;
}

/** What Node says, in the form in which the page says it. */
function answerOnNode({ name, evidence, options, policy, reportData }: Vector): Answer {
  let appraisal: string | undefined;
  const production = codeOf(() => {
    const verified = verify(evidence, options);
    if (policy === undefined) return;
    const expected = reportData === undefined ? {} : { reportData };
    appraisal = appraise(verified, parseAttestationPolicy(policy), expected).code;
  });
  return {
    name,
    verify: production,
    simulated: codeOf(() => verifySimulated(evidence, roots, options)),
    ...(appraisal === undefined ? {} : { appraise: appraisal }),
  };
}

it('verifies and appraises in Chromium with the same results as in Node.js', {
  timeout: 180_000,
}, async () => {
  const questions = AREAS.flatMap((folder) =>
    readdirSync(join(vectors, folder))
      .filter((file) => file.endsWith('.json'))
      .map((file) => ({
        ...JSON.parse(readFileSync(join(vectors, folder, file), 'utf8')),
        name: `${folder}/${file.replace('.json', '')}`,
      })),
  );
  const script = await bundle('test/browser/page.ts');
  const result = await runInBrowser(script, { questions, simulatedRoots: rootsPem });
  const onNode = AREAS.flatMap(readVectors).map(answerOnNode);
  const byName = (one: Answer, other: Answer): number => one.name.localeCompare(other.name);
  expect(result).toMatchObject({ secure: true });
  const { answers } = result as { answers: Answer[] };
  expect([...answers].sort(byName)).toEqual([...onNode].sort(byName));
  expect(new Set(onNode.map((answer) => answer.verify)).size).toBeGreaterThan(5);
});

it('bundles for the browser without a module of Node.js, in less than 60 KiB', async () => {
  const script = await bundle('attestation/src/browser.ts');
  expect(script).not.toMatch(/\brequire\(|node:/);
  expect(script.length).toBeLessThan(60 * 1024);
});
