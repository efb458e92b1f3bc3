/**
 * Decides whether a program starts with the jail that this host offers.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { JailFeatures, JailProgram } from './jail.ts';

/** Why it does not start, `state-unusable`; undefined: it starts. */
export function refusalOf(built: JailFeatures, program: JailProgram): A3sError | undefined {
  const cannot = `Cannot start ${program.path} confined`;
  if (built.allRequired && program.lowPorts === true) {
    return new A3sError(
      'state-unusable',
      `${cannot}: a program that binds ports below 1024 has no namespaces, and A3S_JAIL=require`,
      { remedy: 'Publish the box at ports from 1024 on.' },
    );
  }
  if (built.allRequired && !built.landlock) {
    const { landlockReason = 'the host has no Landlock' } = built;
    return new A3sError('state-unusable', `${cannot}: ${landlockReason}, and A3S_JAIL=require`, {
      remedy:
        'Use a kernel with Landlock among its security modules (Linux 6.2 or newer, lsm=landlock,…), and util-linux 2.41 or newer.',
    });
  }
  if (built.namespaces) return undefined;
  const { reason = 'the host offers no namespaces' } = built;
  if (built.allRequired) {
    return new A3sError('state-unusable', `${cannot}: ${reason}, and A3S_JAIL=require`, {
      remedy: 'Install bubblewrap and allow user namespaces.',
    });
  }
  if (built.identity || built.weakAccepted) return undefined;
  return new A3sError('state-unusable', `${cannot}: ${reason}`, {
    remedy:
      'Install bubblewrap and allow user namespaces, run as root, or accept it with A3S_ALLOW_WEAK_JAIL=1.',
  });
}
