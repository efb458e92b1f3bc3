/**
 * The architecture of a box's guest: that of its image. A host of amd64 emulates arm64.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import type { BoxDefinition } from '../record/box.ts';
import { readSecurityOpt } from '../spec/confinement/security-opt.ts';
import type { CreateRequest } from './create-request.ts';

/** Of a box whose guest has another architecture than its host. */
export type ForeignArchitecture = NonNullable<BoxDefinition['architecture']>;

/**
 * Refuses what no box of another architecture can be.
 *
 * @returns undefined for a box of the host's architecture
 * @throws A3sError `unsupported-option`
 */
export function foreignArchitecture(
  { architecture }: Pick<Image, 'architecture'>,
  host: { readonly architecture: string },
  { confidential, security }: Pick<CreateRequest, 'confidential' | 'security'>,
): ForeignArchitecture | undefined {
  if (architecture !== 'arm64' || host.architecture === 'arm64') return undefined;
  if (confidential !== undefined) {
    throw new A3sError(
      'unsupported-option',
      'Cannot create a confidential box of linux/arm64: SEV-SNP is of x86-64 processors',
      { remedy: 'Use an image of linux/amd64.' },
    );
  }
  const { seccomp = 'default' } = readSecurityOpt(security.securityOpt);
  if (seccomp !== 'default' && seccomp !== 'unconfined') {
    throw new A3sError(
      'unsupported-option',
      'Cannot create the box: a seccomp profile is read for x86-64, and the image is of linux/arm64',
      { remedy: 'Leave --security-opt seccomp=FILE out: the default profile is that of arm64.' },
    );
  }
  return architecture;
}

/** The warning for clients that create such a box. */
export function emulationWarning(
  architecture: ForeignArchitecture,
  host: { readonly architecture: string },
): string {
  return `The image is of linux/${architecture} and this host of linux/${host.architecture}: the box is emulated, which is many times slower`;
}
