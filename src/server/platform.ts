/**
 * The platform that boxes are made for.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

/** The host's own, or none; Docker's CLI sends what `--platform` says. @throws A3sError `unsupported-option` */
export function checkPlatform(platform: string | undefined, architecture: string): void {
  if (platform === undefined || platform === '') return;
  if (platform === 'linux' || platform === `linux/${architecture}`) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: platform ${platform} is not supported, this host runs linux/${architecture}`,
    { remedy: 'Leave --platform out.' },
  );
}
