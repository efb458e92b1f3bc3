/**
 * What a caller asks for who wants a box to be confidential.
 *
 * @module
 */
import type { HostPermission } from '@a3s-box/policies';
import type { Tee } from '../../engine/engine.ts';
import { A3sError } from '../../errors.ts';
import type { CreateRequest } from '../create.ts';

export interface ConfidentialRequest {
  readonly tee: Tee;
  readonly hostMay: readonly HostPermission[];
  readonly secrets: readonly SecretRequest[];
  readonly deployment: string;
  readonly changes: 'memory' | 'encrypted-disk';
  /** Seconds. */
  readonly secretsDeadline: number;
  /** Id or directory of a boot set that is to be used instead of the current one. */
  readonly bootSet: string | undefined;
  readonly identity: { readonly block: Uint8Array; readonly auth: Uint8Array } | undefined;
}

export interface SecretRequest {
  readonly name: string;
  /** Public keys in PEM whose holders may inject it. */
  readonly injectorKeys: readonly string[];
  readonly allowAnyInjector: boolean;
  /** The variable that it becomes; undefined: a file. */
  readonly variable: string | undefined;
}

/** The port at which the guest serves RA-TLS. */
export const RATLS_PORT = 4433;

/** Refuses by name what a confidential box cannot have. @throws A3sError `unsupported-option`, `invalid-argument` */
export function checkConfidential(request: CreateRequest, asked: ConfidentialRequest): void {
  const [bind] = request.binds;
  if (bind !== undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot create the box: the bind mount ${bind.destination} is not supported for a confidential box: the host could read and change what is in it`,
      { remedy: 'Leave out -v: put files into the image, or inject secrets.' },
    );
  }
  for (const { name, variable } of asked.secrets) {
    if (variable === undefined || !request.env.some((entry) => isNamed(entry, variable))) continue;
    throw new A3sError(
      'invalid-argument',
      `Cannot create the box: the secret ${name} becomes the variable ${variable}, which has a value already`,
      { remedy: `Leave out -e ${variable}, or the secret's variable.` },
    );
  }
}

function isNamed(entry: string, variable: string): boolean {
  return entry === variable || entry.startsWith(`${variable}=`);
}
