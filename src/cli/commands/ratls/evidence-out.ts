/**
 * `--out`: the evidence as files that another tool can verify.
 *
 * @module
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Context } from '../../context.ts';
import { UsageError } from '../../usage-error.ts';
import type { Peer } from './box-verdict.ts';
import type { Library, Trust } from './peer-flags.ts';

/**
 * @returns the kind of each file → its path.
 * @throws UsageError for a directory that cannot be written
 */
export async function writeEvidence(
  context: Pick<Context, 'cwd'>,
  library: Library,
  path: string,
  peer: Peer,
  { simulatedRoots }: Pick<Trust, 'simulatedRoots'>,
): Promise<Readonly<Record<string, string>>> {
  const directory = resolve(context.cwd, path);
  const contents = contentsOf(library, peer, simulatedRoots?.pem);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const [, name, bytes] of contents) {
      await writeFile(join(directory, name), bytes, { mode: 0o600 });
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new UsageError(`--out: cannot write to ${path}: ${code}`);
  }
  return Object.fromEntries(contents.map(([what, name]) => [what, join(directory, name)]));
}

type Content = readonly [what: string, name: string, bytes: Uint8Array | string];

function contentsOf(library: Library, peer: Peer, pinned: string | undefined): readonly Content[] {
  const { evidence, crl, claims, specText, reportData, nonce } = peer;
  const { vek, authorities = [] } = evidence;
  const kind = claims.endorsement.kind.toLowerCase();
  const chain = authorities.map((der) => pem(der)).join('');
  const roots = peer.simulated ? (pinned ?? library.simulatedRootsOf(evidence).pem) : undefined;
  return [
    ['report', 'report.bin', evidence.report],
    ...(vek === undefined ? [] : [[kind, `${kind}.der`, vek] as const]),
    ...(chain === '' ? [] : [['authorities', 'authorities.pem', chain] as const]),
    ...(crl === undefined ? [] : [['crl', 'crl.der', crl] as const]),
    ...(roots === undefined ? [] : [['simulated roots', 'simulated-roots.pem', roots] as const]),
    ['launch spec', 'launch-spec.json', specText],
    ['report data', 'report-data.hex', `${Buffer.from(reportData).toString('hex')}\n`],
    ['nonce', 'nonce.bin', nonce],
  ];
}

function pem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
