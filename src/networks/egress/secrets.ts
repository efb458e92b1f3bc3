/**
 * Egress secrets: the box has a placeholder of each, and the program that limits the box puts the
 * value in its place, in one header of requests to one host.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { endToEnd } from '../../tls-proxy/headers.ts';
import { makeAuthority } from '../../tls-proxy/make-authority.ts';
import { decideConnection, decideName } from './decide.ts';
import { type RecordedPolicy, readPolicy } from './egress.ts';
import { HTTPS } from './packet-rules.ts';

export const EgressSecret = z.strictObject({
  /** The variable of the box that has the placeholder. */
  name: z.string(),
  /** The only host that gets the value, in lower case. */
  host: z.string(),
  /** The only header that it is put into, in lower case. */
  header: z.string(),
  placeholder: z.string(),
});
/** What is on record of an egress secret: everything but its value. */
export type EgressSecret = z.infer<typeof EgressSecret>;

export const KeptSecrets = z.strictObject({
  /** Of the box alone. */
  authority: z.strictObject({ certificate: z.string(), privateKey: z.string() }),
  secrets: z.array(EgressSecret.extend({ value: z.string() })).min(1),
});
/** The secrets of a box, as the server keeps them in a file that no other user can read. */
export type KeptSecrets = z.infer<typeof KeptSecrets>;
export type KeptSecret = KeptSecrets['secrets'][number];

/** The file of them in the directory of a box. */
export const SECRETS_FILE = 'egress-secrets.json';

/** They say where a request ends and goes, and how it is answered. */
const RESERVED: readonly string[] = ['host', 'content-length', 'accept-encoding'];

/** Whether a secret can be in the header, whose name is in lower case. */
export function mayHoldSecret(header: string): boolean {
  return !RESERVED.includes(header) && Object.hasOwn(endToEnd({ [header]: '' }), header);
}

/** An egress secret, as it is asked for. */
export type AskedSecret = Pick<KeptSecret, 'name' | 'host' | 'header' | 'value'>;

/** Gives each secret a placeholder, and the box an authority that is good for these hosts alone. */
export function makeSecrets(asked: readonly AskedSecret[], now: number): KeptSecrets {
  const hosts = [...new Set(asked.map(({ host }) => host))];
  return {
    authority: makeAuthority({ subject: 'a3s-box egress of one box', now, hosts }),
    secrets: asked.map(({ name, host, header, value }) => ({
      ...{ name, host, header, value },
      placeholder: `a3s-egress-secret-${randomBytes(16).toString('hex')}`,
    })),
  };
}

/**
 * The program sees connections to a host where a rule for its name opens them, and no others.
 *
 * @throws A3sError `invalid-argument`
 */
export function checkSecretHosts(
  secrets: readonly Pick<EgressSecret, 'name' | 'host'>[],
  egress: RecordedPolicy | undefined,
): void {
  const policy = egress === undefined ? undefined : readPolicy(egress);
  for (const { name, host } of secrets) {
    const asked = { name: host, protocol: 'tcp', port: HTTPS } as const;
    const isOpen =
      policy !== undefined &&
      decideName(policy, host).allowed &&
      decideConnection(policy, asked).allowed &&
      typeof decideConnection(policy, asked).by === 'number';
    if (isOpen) continue;
    throw new A3sError(
      'invalid-argument',
      `Cannot create the box: no rule of its network policy allows ${host}, the host of the egress secret ${name}, by its name`,
      { remedy: `Add --egress allow:${host}:tcp:${HTTPS}.` },
    );
  }
}

/** Writes the file, which this user alone can read. It is on the disk when this returns. */
export async function writeSecrets(path: string, secrets: KeptSecrets): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(JSON.stringify(secrets));
    await file.sync();
  } finally {
    await file.close();
  }
}

/** @throws A3sError `network-failed`, without a word of what is in the file */
export async function readSecrets(path: string): Promise<KeptSecrets> {
  try {
    return KeptSecrets.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = typeof code === 'string' ? code : 'it is not what was written';
    throw new A3sError(
      'network-failed',
      `Cannot limit what the box reaches: the file of its egress secrets cannot be used: ${why}`,
      { remedy: 'Create the box again.' },
    );
  }
}
