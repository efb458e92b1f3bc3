/**
 * The flags that name a box, and the trust anchors for it.
 *
 * @module
 */
import type { Context } from '../../context.ts';
import { inputName, readInput } from '../../files/input-file.ts';
import { bool, type Flag, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { parseHexBytes } from '../../values/confidential/hex.ts';
import { parseTimeLimit } from '../../values/times/duration.ts';
import { cachedCrl, cachedVek } from '../attest/endorsements/cached-endorsements.ts';
import { readPolicy } from '../attest/input/policy-input.ts';
import { refusing } from '../attest/load-library.ts';

/** Its whole content comes from one bundle. */
export type Library = typeof import('#ratls');

const MAX_ROOTS = 128 * 1024;
const INSTANCE_SIZE = 16;
const SPEC_DIGEST_SIZE = 32;
const DEPLOYMENT = /^[a-z0-9][a-z0-9._-]{0,62}$/;

export const PEER_FLAGS: readonly Flag[] = [
  bool('allow-simulated', 'Take simulated evidence, which proves nothing'),
  string('expect-deployment', 'Deployment that the box has to be of', { value: 'name' }),
  string('expect-instance', 'Instance that it has to be, 32 hexadecimal digits', { value: 'hex' }),
  string('expect-spec', 'SHA-256 of the launch spec that it has to have', { value: 'hex' }),
  string('policy', 'Policy that it has to satisfy, YAML or JSON', { value: 'file' }),
  string('simulated-root', 'Chain of the one installation whose simulation is meant, PEM', {
    value: 'file',
  }),
  string('timeout', 'How long the box may take, attempts included, such as 10s; 60s if not given', {
    value: 'duration',
  }),
];

type ConnectOptions = Parameters<Library['connect']>[0];
/** The trust anchors, and the timeout. */
export type Trust = Omit<ConnectOptions, 'host' | 'port' | 'socket' | 'signal'>;

/** @throws UsageError, InputError for files that cannot be used */
export async function trustOf(
  context: Context,
  flags: FlagValues,
  library: Library,
): Promise<Trust> {
  const path = flags.needed('policy', (text) => text);
  const { policy } = await readPolicy(context, library, path, '--policy');
  const expect = {
    deployment: flags.parsed('expect-deployment', parseDeployment),
    instance: hexOf(flags, 'expect-instance', INSTANCE_SIZE),
    specDigest: hexOf(flags, 'expect-spec', SPEC_DIGEST_SIZE),
  };
  return { policy, expect, ...(await anchorsOf(context, flags, library)) };
}

/** The same for boxes whose policies are named otherwise. */
export async function anchorsOf(
  context: Context,
  flags: FlagValues,
  library: Library,
): Promise<Omit<Trust, 'policy' | 'expect'>> {
  return {
    allowSimulated: flags.bool('allow-simulated'),
    simulatedRoots: await simulatedRoots(context, flags, library),
    complete: completion(context, library),
    timeout: flags.parsed('timeout', parseTimeLimit),
  };
}

async function simulatedRoots(context: Context, flags: FlagValues, library: Library) {
  const path = flags.string('simulated-root');
  if (path === undefined) return undefined;
  const pem = await readInput(context, path, MAX_ROOTS, '--simulated-root');
  return refusing(library, inputName(path), () => library.parseSimulatedRoots(pem));
}

/** Endorsements that hardware evidence lacks come from the cache of `attest fetch-certs`. */
function completion(context: Context, library: Library): NonNullable<Trust['complete']> {
  return async (evidence) => {
    const vek = evidence.vek ?? (await cachedVek(context, library, evidence));
    const complete = vek === undefined ? evidence : { ...evidence, vek };
    const list = await cachedCrl(context, library, complete, new Date());
    if (list === undefined) return { evidence: complete };
    return { evidence: complete, crl: list.crl, crlObtainedAt: list.obtainedAt };
  };
}

function hexOf(flags: FlagValues, name: string, size: number): string | undefined {
  const bytes = flags.parsed(name, (text) => parseHexBytes(text, size));
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
}

function parseDeployment(text: string): string {
  if (DEPLOYMENT.test(text)) return text;
  throw new RangeError('it takes up to 63 of a-z, 0-9, ".", "_" and "-"');
}
