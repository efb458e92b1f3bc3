import { bool } from '../../flags/flag.ts';
import { inspectBelow } from '../inspect-each.ts';

const below = inspectBelow('/networks', 'NETWORK');

/** `--verbose` lists services, which A3S Box does not have. */
export const inspectNetwork = {
  ...below,
  flags: [...below.flags, bool('verbose', 'Verbose output for diagnostics', { short: 'v' })],
};
