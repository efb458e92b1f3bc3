/**
 * The process of an exec or a probe. It has the box's own environment, user and directory, unless
 * the request has others.
 *
 * @module
 */
import type { ProcessSpec } from '@a3s-box/policies';
import { type BoxDefinition, directoryOf } from '../record/box.ts';
import { variablesOf } from './egress-secrets.ts';
import { overrideEnvironment, processEnvironment } from './environment.ts';

interface AskedProcess {
  readonly command: readonly string[];
  readonly env: readonly string[];
  /** Empty: the box's own. */
  readonly cwd: string;
  readonly user: string;
  readonly terminal: boolean;
  readonly size: ProcessSpec['size'];
  readonly attach: { readonly stdin: boolean };
}

export function execProcess(
  definition: Pick<BoxDefinition, 'hostname' | 'env' | 'cwd' | 'user' | 'egressSecrets'>,
  { command, env, cwd, user, terminal, size, attach }: AskedProcess,
): ProcessSpec {
  const base = processEnvironment(definition.hostname, terminal, variablesOf(definition));
  return {
    args: [...command],
    env: overrideEnvironment(base, env),
    cwd: cwd === '' ? directoryOf(definition) : cwd,
    user: user === '' ? definition.user : user,
    terminal,
    ...(size === undefined ? {} : { size }),
    stdin: attach.stdin,
  };
}
