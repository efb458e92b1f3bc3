import { arch, platform } from 'node:process';
import type { Version } from '../../../docker-api/system/system.ts';
import { objectOf, type Received, stringOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { Template } from '../../output/go-template/template.ts';
import { API_VERSION, VERSION } from '../../version.ts';
import { DOCUMENT_FORMAT_HELP } from '../format-help.ts';

const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64' };

export const version: Command = {
  usage: '[OPTIONS]',
  flags: [
    bool('client', 'Show the version of the client alone, and start no server'),
    string('format', DOCUMENT_FORMAT_HELP, { short: 'f' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const format = flags.string('format') ?? '';
    const template = format === '' || format === 'json' ? undefined : new Template(format);
    const client = {
      Version: VERSION,
      ApiVersion: API_VERSION,
      Node: process.version,
      Os: platform,
      Arch: GO_ARCHITECTURES[arch] ?? arch,
    };
    const server = flags.bool('client') ? undefined : await serverVersion(context.connect());
    const data = { Client: client, ...(server === undefined ? {} : { Server: server }) };
    if (template !== undefined) {
      const shown = Object.fromEntries(
        Object.entries(data).map(([key, part]) => [key, named(part)]),
      );
      context.stdout.write(`${template.evaluate(shown)}\n`);
    } else if (format === 'json') context.stdout.write(`${JSON.stringify(data)}\n`);
    else context.stdout.write(describe('Client', client) + describe('Server', server));
    return 0;
  },
};

/** Of this client, or of a server. */
type Shown = Partial<
  Record<'Version' | 'ApiVersion' | 'Node' | 'Os' | 'Arch' | 'KernelVersion', string>
>;

/**
 * Templates know the version of the API by Docker's name of the field as well, which differs from
 * its JSON's.
 */
function named(part: Shown) {
  return { ...part, APIVersion: part.ApiVersion ?? '' };
}

async function serverVersion(
  connecting: ReturnType<Parameters<Command['run']>[0]['context']['connect']>,
): Promise<Received<Version>> {
  const client = await connecting;
  return objectOf<Version>(await client.json({ method: 'GET', path: '/version' }));
}

function describe(title: string, version: Shown | undefined): string {
  if (version === undefined) return '';
  const lines = [
    ['Version', version.Version],
    ['API version', version.ApiVersion],
    ['Node version', version.Node],
    ['OS/Arch', `${stringOf(version.Os)}/${stringOf(version.Arch)}`],
    ['Kernel', version.KernelVersion],
  ].filter(([, value]) => typeof value === 'string' && value !== '');
  const body = lines.map(([name, value]) => ` ${`${name}:`.padEnd(18)} ${value}\n`).join('');
  return `${title}:\n${body}`;
}
