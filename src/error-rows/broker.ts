/**
 * Error codes of the secret broker and of its commands. Those that a guest gets begin with `kbs-`,
 * and are all that a refused guest learns.
 *
 * @module
 */
import type { ErrorRow } from '../error-row.ts';

export const BROKER = {
  'broker-config': {
    status: 400,
    meaning: 'The configuration of the secret broker cannot be used.',
    remedy: 'Correct what the message names; [broker.md](confidential/broker.md) has every key.',
  },
  'broker-unauthenticated': {
    status: 401,
    meaning: 'The secret broker knows no administrator with the key of this certificate.',
    remedy: 'Give the certificate whose key `broker.yaml` names, or add its key there.',
  },
  'broker-forbidden': {
    status: 403,
    meaning: 'The role of this administrator of the secret broker does not permit it.',
    remedy: 'Ask an administrator with another role.',
  },
  'broker-no-such-record': {
    status: 404,
    meaning: 'The secret broker has no such secret, volume key, policy, grant, counter or tenant.',
    remedy:
      'List them with `a3s-box broker secret ls`, `broker volume-key ls`, `broker policy ls`, `broker grant ls` or `broker counter ls`.',
  },
  'broker-declared': {
    status: 409,
    meaning: 'The policy or grant is declared in `broker.yaml`, which no command changes.',
    remedy: 'Change the file and restart the broker; `a3s-box broker revoke` works at once.',
  },
  'broker-conflict': {
    status: 409,
    meaning: 'What the secret broker was asked for does not fit its state.',
    remedy: 'The message names the state.',
  },
  'broker-volume-key': {
    status: 409,
    meaning: 'At this path is the key of sealed volumes, without which they cannot be read.',
    remedy:
      'Choose another path. To give up the volumes, `a3s-box broker volume-key rm PATH --discard-data`.',
  },
  'broker-quota': {
    status: 409,
    meaning: 'The tenant of the secret broker would keep more than it may.',
    remedy: 'Remove what is not needed, or raise `limits` in `broker.yaml`, where it can be.',
  },
  'broker-running': {
    status: 500,
    meaning: 'Another process holds the store of the secret broker.',
    remedy: 'Stop it first, or use another directory.',
  },
  'broker-store': {
    status: 500,
    meaning: 'The store of the secret broker cannot be used.',
    remedy: 'The message names the file or the database; see that it runs, or restore a backup.',
  },
  'broker-unreachable': {
    status: 502,
    meaning: 'The command cannot reach the secret broker, or its key is not the pinned one.',
    remedy: 'Check `--broker`, `--server-pin` and the network.',
  },
  'root-key': {
    status: 500,
    meaning: 'The root key of the secret broker is missing, open to others, or another one.',
    remedy: 'The message says which; nothing is released without it.',
  },
  'record-broken': {
    status: 500,
    meaning: 'A record of the secret broker was changed in its store, or moved there.',
    remedy: 'Restore the store from a backup, and find out who can write to it.',
  },
  'audit-broken': {
    status: 500,
    meaning: 'The audit log of the secret broker was changed.',
    remedy: 'The message names the first bad entry; keep the files as they are.',
  },
  'kbs-request': {
    status: 400,
    meaning: 'A guest’s request to the secret broker is malformed.',
    remedy: 'Use KBS protocol 0.4, as [broker.md](confidential/broker.md) describes it.',
  },
  'kbs-session': {
    status: 401,
    meaning: 'The guest has no session: its nonce was used, or too much time has passed.',
    remedy: 'Begin again with `/kbs/v0/auth`.',
  },
  'kbs-evidence': {
    status: 401,
    meaning: 'The secret broker does not accept the guest’s evidence.',
    remedy: 'The audit log says which check decided.',
  },
  'kbs-denied': {
    status: 403,
    meaning: 'No policy lets the guest have the resource.',
    remedy: 'The audit log says which check decided.',
  },
  'kbs-no-resource': {
    status: 404,
    meaning: 'The guest may have the resource, and there is none.',
    remedy: 'Put it with `a3s-box broker secret put`.',
  },
  'kbs-counter': {
    status: 409,
    meaning: 'The counter of a sealed volume is elsewhere, or is that of another volume.',
    remedy:
      'Find out which disk the host gave the guest; `a3s-box broker counter` has the counter.',
  },
  'kbs-too-often': {
    status: 429,
    unlogged: true,
    meaning: 'The client asked the secret broker too often.',
    remedy: 'Try again after the seconds of `Retry-After`.',
  },
  'kbs-busy': {
    status: 503,
    unlogged: true,
    meaning: 'The secret broker has as many sessions as it may.',
    remedy: 'Try again in a minute.',
  },
} as const satisfies Readonly<Record<string, ErrorRow>>;
