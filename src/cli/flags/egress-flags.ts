/**
 * The flags that say what boxes may reach outside of their networks.
 *
 * @module
 */
import { bool, type Flag, list, string } from './flag.ts';

export const EGRESS_FLAGS: readonly Flag[] = [
  list(
    'egress',
    'Allow or deny what is reached outside, such as allow:*.example.org:tcp:443; the first rule that matches decides, and what none names is refused',
    { value: 'rule' },
  ),
  bool(
    'egress-default',
    'Reach public addresses that no rule names; private, link-local and the host’s own networks stay refused',
  ),
  string('network-policy', 'Read such rules from a file (- for stdin), after those of --egress', {
    value: 'file',
  }),
];

/** Of boxes alone. */
export const EGRESS_SECRET_FLAG = list(
  'egress-secret',
  'Put the content of a file into a header of requests to one host, in place of a placeholder that the variable has in the box: NAME=@FILE,host=HOST, and ,header=HEADER for another than Authorization',
  { value: 'secret' },
);
