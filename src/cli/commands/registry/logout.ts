import type { Command } from '../../command.ts';
import { eraseCredentials } from '../../credentials/credentials-store.ts';
import { serverKey } from './login.ts';

export const logout: Command = {
  usage: '[SERVER]',
  description: 'Log out from a registry: from Docker Hub, if no server is specified',
  flags: [],
  operands: { min: 0, max: 1 },
  async run({ context, operands }) {
    const key = serverKey(operands[0]);
    await eraseCredentials(context.env, key);
    context.stdout.write(`Removing login credentials for ${key}\n`);
    return 0;
  },
};
