/**
 * Groups, the OOM score, the domain and the settings of the kernel.
 *
 * @module
 */
import type { Refused } from './resources.ts';

const SOMAXCONN = { path: 'net/core/somaxconn', value: '9' };
const SEM = { path: 'kernel/sem', value: '32000 1024000000 500 32000' };

const sysctls = (name: string, comment: string, list: unknown): Refused => [
  `sysctls-${name}`,
  comment,
  ['sysctls', list],
];

export const OPTIONS_ACCEPTED: readonly Refused[] = [
  ['groups', 'By name and number.', ['confinement.groups', ['audio', '42']]],
  ['oom-score', 'The lowest.', ['confinement.oomScoreAdj', -1000]],
  ['domainname', 'A domain.', ['domainname', 'example.com']],
  sysctls('two', 'Of two namespaces.', [SEM, SOMAXCONN]),
];

export const OPTION_RULES: readonly Refused[] = [
  ['groups-nul', 'NUL in a name.', ['confinement.groups', ['a\0']]],
  ['groups-257', '257 of them.', ['confinement.groups', Array(257).fill('audio')]],
  ['oom-score-low', 'Lower than any.', ['confinement.oomScoreAdj', -1001]],
  ['oom-score-null', 'Null is no value.', ['confinement.oomScoreAdj', null]],
  ['domainname-empty', 'An absent field says none.', ['domainname', '']],
  ['domainname-space', 'No domain.', ['domainname', 'a b']],
  sysctls('empty', 'An absent list says none.', []),
  sysctls('unsorted', 'Out of order.', [SOMAXCONN, SEM]),
  sysctls('twice', 'A setting twice.', [SEM, SEM]),
  sysctls('guest', 'Of the whole guest.', [{ path: 'kernel/core_pattern', value: '|/x' }]),
  sysctls('beside', 'Begins as one of a namespace.', [{ path: 'kernel/semx', value: '1' }]),
  sysctls('parent', 'Leads out.', [{ path: 'net/../kernel/core_pattern', value: '|/x' }]),
];
