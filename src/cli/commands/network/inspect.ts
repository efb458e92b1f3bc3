import { bool } from '../../flags/flag.ts';
import { inspectBelow } from '../inspect-each.ts';

const below = inspectBelow('/networks', { usage: '[OPTIONS] NETWORK [NETWORK...]' });

/** What `--verbose` would add is of services, which there are not. */
export const inspectNetwork = {
  ...below,
  flags: [...below.flags, bool('verbose', 'Verbose output for diagnostics', { short: 'v' })],
};
