import { resolve } from 'node:path';
import { become } from '../../client/become.ts';
import { serverBundle, serviceEnvironment } from '../../client/start-server.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { UsageError } from '../../usage-error.ts';

export const serve: Command = {
  usage: '[OPTIONS]',
  description: 'Become the control server, in the foreground',
  flags: [
    bool('restore', 'Start the boxes whose restart policy asks for it, as after a reboot'),
    string('cri', "Serve Kubernetes' CRI on this unix socket as well", { value: 'socket' }),
    string(
      'cri-stream-address',
      'Where exec, attach and port-forward are served (default: 127.0.0.1:0)',
      {
        value: 'address:port',
      },
    ),
    string('cri-stream-cert', 'Serve them by TLS, with this certificate chain in PEM', {
      value: 'file',
    }),
    string('cri-stream-key', 'The private key of that certificate, in PEM', { value: 'file' }),
    string('cni-conf-dir', 'Where the network of pods is configured (default: /etc/cni/net.d)', {
      value: 'directory',
    }),
    string('cni-bin-dir', 'Where the plugins of CNI are (default: /usr/lib/cni)', {
      value: 'directory',
    }),
    string('jail', 'Start nothing with less of a jail than this user can have', {
      value: 'require',
    }),
  ],
  operands: { min: 0, max: 0 },
  failureStatus: 125,
  async run({ context, flags }) {
    const jail = flags.string('jail');
    if (jail !== undefined && jail !== 'require') throw new UsageError('--jail takes require');
    const asked = { ...context.env, ...(jail === undefined ? {} : { A3S_JAIL: jail }) };
    // Errors in the environment are reported before a server starts.
    await context.config();
    const bundle = serverBundle(context.installDir);
    const options = [
      ...(flags.bool('restore') ? ['--restore'] : []),
      ...criOptions(context.cwd, flags.string('cri')),
      ...streamOptions(context.cwd, (name) => flags.string(name)),
      ...['cni-conf-dir', 'cni-bin-dir'].flatMap((name) =>
        pathOption(context.cwd, name, flags.string(name), 'a directory'),
      ),
    ];
    const { env, descriptors } = serviceEnvironment(asked);
    return become(process.execPath, ['--', bundle, '--foreground', ...options], env, descriptors);
  },
};

/** Kubelet's flags have URLs, where this one has a path: what a URL begins with is left out. */
function criOptions(cwd: string, given: string | undefined): string[] {
  if (given === undefined) return [];
  const path = given.replace(/^unix:\/\//, '');
  if (path === '') {
    throw new UsageError('--cri takes the path of a unix socket, such as /run/a3s-box/cri.sock');
  }
  return ['--cri', resolve(cwd, path)];
}

/** The address is checked by the server, with its certificate. */
function streamOptions(cwd: string, flag: (name: string) => string | undefined): string[] {
  const address = flag('cri-stream-address');
  const asked = [
    ...(address === undefined ? [] : [`--cri-stream-address=${address}`]),
    ...['cri-stream-cert', 'cri-stream-key'].flatMap((name) =>
      pathOption(cwd, name, flag(name), 'a file'),
    ),
  ];
  if (asked.length > 0 && flag('cri') === undefined) {
    throw new UsageError('--cri-stream-address, -cert and -key go with --cri');
  }
  return asked;
}

function pathOption(cwd: string, name: string, given: string | undefined, kind: string): string[] {
  if (given === undefined) return [];
  if (given === '') throw new UsageError(`--${name} takes the path of ${kind}`);
  return [`--${name}`, resolve(cwd, given)];
}
