/**
 * The commands of the secret broker.
 *
 * @module
 */
import { entry, type Group } from '../command-entry.ts';

export const broker: Group = {
  summary: 'Serve and manage a secret broker',
  commands: {
    audit: entry(
      'Read and verify the audit log of a secret broker',
      async () => (await import('../commands/broker/operate.ts')).brokerAudit,
    ),
    counter: entry(
      'Manage the counters of sealed volumes of a secret broker',
      async () => (await import('../commands/broker/records.ts')).brokerCounter,
    ),
    grant: entry(
      'Manage the grants of a secret broker',
      async () => (await import('../commands/broker/records.ts')).brokerGrant,
    ),
    init: entry(
      'Make the keys of a new secret broker',
      async () => (await import('../commands/broker/serve.ts')).initBroker,
    ),
    pin: entry(
      'Verify a secret broker in a confidential box, and print its key',
      async () => (await import('../commands/ratls/broker-pin.ts')).brokerPin,
    ),
    policy: entry(
      'Manage the policies of a secret broker',
      async () => (await import('../commands/broker/records.ts')).brokerPolicy,
    ),
    revoke: entry(
      'Take a policy, a grant or sessions of a secret broker out of effect',
      async () => (await import('../commands/broker/operate.ts')).brokerRevoke,
    ),
    'root-key': entry(
      'Rotate the root key of a secret broker',
      async () => (await import('../commands/broker/operate.ts')).brokerRootKey,
    ),
    secret: entry(
      'Manage the secrets of a secret broker',
      async () => (await import('../commands/broker/records.ts')).brokerSecret,
    ),
    serve: entry(
      'Become the secret broker, in the foreground',
      async () => (await import('../commands/broker/serve.ts')).serveBroker,
    ),
    'volume-key': entry(
      'Manage the keys of sealed volumes of a secret broker',
      async () => (await import('../commands/broker/records.ts')).brokerVolumeKey,
    ),
  },
};
