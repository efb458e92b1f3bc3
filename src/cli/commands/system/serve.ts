import { become } from '../../client/become.ts';
import { serverBundle, serviceEnvironment } from '../../client/start-server.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';

export const serve: Command = {
  usage: '[OPTIONS]',
  description: 'Become the control server, in the foreground',
  flags: [bool('restore', 'Start the boxes whose restart policy asks for it, as after a reboot')],
  operands: { min: 0, max: 0 },
  failureStatus: 125,
  async run({ context, flags }) {
    // Errors in the environment are reported before a server starts.
    await context.config();
    const bundle = serverBundle(context.installDir);
    const options = flags.bool('restore') ? ['--restore'] : [];
    const { env, descriptors } = serviceEnvironment(context.env);
    return become(process.execPath, ['--', bundle, '--foreground', ...options], env, descriptors);
  },
};
