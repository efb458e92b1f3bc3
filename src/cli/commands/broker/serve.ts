import type { Command } from '../../command.ts';
import { string } from '../../flags/flag.ts';
import { becomeBroker } from './broker-program.ts';

const CONFIG_FLAG = string('config', 'Configuration (default broker.yaml)', { value: 'file' });

export const serveBroker: Command = {
  usage: '[OPTIONS]',
  description:
    'Become the secret broker, in the foreground. It prints one line once it serves, and ends in\n' +
    'order on SIGTERM. It needs no control server',
  flags: [CONFIG_FLAG],
  operands: { min: 0, max: 0 },
  run: ({ context, flags }) =>
    becomeBroker(context, ['serve', '--config', flags.string('config') ?? 'broker.yaml']),
};

export const initBroker: Command = {
  usage: '[OPTIONS]',
  description:
    'Make the root key and the key of the audit log of a new secret broker, where its\n' +
    'configuration has them, and print the public key of the audit log. Replaces nothing',
  flags: [CONFIG_FLAG],
  operands: { min: 0, max: 0 },
  run: ({ context, flags }) =>
    becomeBroker(context, ['init', '--config', flags.string('config') ?? 'broker.yaml']),
};
