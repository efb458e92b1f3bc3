/**
 * The flags of `run`, `create` and `measure` that make a box confidential and set the content of
 * its launch spec.
 *
 * @module
 */
import { byName, type Flag, list, string } from './flag.ts';

export const TEE_FLAG: Flag = string(
  'tee',
  'Make the box confidential: snp, or simulate, which protects nothing',
  { value: 'tee' },
);

/** Flags that apply to confidential boxes alone. */
export const CONFIDENTIAL_ONLY: readonly Flag[] = byName([
  string('boot', 'Boot set of a confidential box, where it is not the installed one', {
    value: 'set',
  }),
  string(
    'broker',
    'Broker of secrets, counters and tokens: https://HOST[:PORT],key=SHA256, then ,tokens',
    {
      value: 'broker',
    },
  ),
  string('changes', 'Where changes of a confidential box go: memory, or encrypted-disk', {
    value: 'place',
  }),
  string('deployment', 'Name by which relying parties tell boxes of one image apart', {
    value: 'name',
  }),
  list('host-may', 'Permit the host: attach, exec, files, logs, signals, stats', {
    value: 'permissions',
  }),
  list('host-name', 'Let the host give this name an address, besides the names of links', {
    value: 'name',
  }),
  string('host-networks', 'How many networks the host may put the box into, its own included', {
    value: 'number',
  }),
  string('id-block', 'Launch under this signed ID block', { value: 'file' }),
  list('sealer', 'Public key whose holder may seal and unseal over RA-TLS', { value: 'file' }),
  string('sealing', 'Which keys the box can have for sealing: exact, or upgradable', {
    value: 'policy',
  }),
  list('secret', 'Secret that the box waits for: NAME[:from=KEYFILE][:env[=VARIABLE]]', {
    value: 'secret',
  }),
  string('secrets-deadline', 'How long the box waits for its secrets (default 10m)', {
    value: 'duration',
  }),
]);

export const CONFIDENTIAL_FLAGS: readonly Flag[] = byName([TEE_FLAG, ...CONFIDENTIAL_ONLY]);
