/**
 * The flags that precede a command. Docker's others are refused by name.
 *
 * @module
 */
import { bool, type Flag, HELP, refused } from './flags/flag.ts';

const ELSEWHERE = 'A3S_HOME names the installation';

export const GLOBAL_FLAGS: readonly Flag[] = [
  HELP,
  bool('version', 'Print version information and quit', { short: 'v' }),
  refused('config', 'there is no client configuration'),
  refused('context', ELSEWHERE, 'string', 'c'),
  refused('debug', 'set A3S_DEBUG=1', 'bool', 'D'),
  refused('host', ELSEWHERE, 'list', 'H'),
  refused('log-level', 'set A3S_DEBUG=1', 'string', 'l'),
  refused('tls', ELSEWHERE, 'bool'),
  refused('tlscacert', ELSEWHERE),
  refused('tlscert', ELSEWHERE),
  refused('tlskey', ELSEWHERE),
  refused('tlsverify', ELSEWHERE, 'bool'),
];
