import { A3sError } from '../../errors.ts';
import { type Client, segment } from '../client/client.ts';
import { numberOf, objectOf, stringOf } from '../client/json.ts';
import type { Command, Invocation } from '../command.ts';
import { bool, list, refused, string } from '../flags/flag.ts';
import { attend } from '../session/attend.ts';
import { Session } from '../session/session.ts';
import { checkTerminal, detachKeys } from '../session/terminal.ts';
import { parseEnvironment, readEnvironmentFile } from '../values/environment.ts';

export const exec: Command = {
  usage: '[OPTIONS] BOX COMMAND [ARG...]',
  description: 'Execute a command in a running box',
  flags: [
    bool('detach', 'Detached mode: run command in the background', { short: 'd' }),
    string('detach-keys', 'Override the key sequence for detaching from a box'),
    list('env', 'Set environment variables', { short: 'e' }),
    list('env-file', 'Read in a file of environment variables'),
    bool('interactive', 'Keep STDIN open even if not attached', { short: 'i' }),
    refused('privileged', 'every process of a box has the confinement of the box', 'bool'),
    bool('tty', 'Allocate a pseudo-TTY', { short: 't' }),
    string('user', 'Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' }),
    string('workdir', 'Working directory inside the box', { short: 'w' }),
  ],
  operands: { min: 2, max: Infinity },
  passThrough: true,
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const body = execRequest(invocation);
    const keys = detachKeys(flags);
    const detach = flags.bool('detach');
    const terminal = flags.bool('tty');
    const input = flags.bool('interactive') && !detach;
    checkTerminal(context, input && terminal);
    const client = await context.connect();
    const id = await createExec(client, operands[0] ?? '', body);
    const path = `/exec/${segment(id)}`;
    if (detach) {
      const start = { Detach: true, Tty: terminal };
      await client.json({ method: 'POST', path: `${path}/start`, body: start });
      return 0;
    }
    const start = { Detach: false, Tty: terminal, ...consoleSize(invocation) };
    const { stream } = await client.hijack({ method: 'POST', path: `${path}/start`, body: start });
    const session = new Session(context, stream, { terminal, input, detachKeys: keys });
    return attend({
      context,
      client,
      session,
      signalled: undefined,
      resize: terminal ? `${path}/resize` : undefined,
      status: () => exitStatus(client, path),
    });
  },
};

function execRequest(invocation: Invocation): Record<string, unknown> {
  const { context, flags, operands } = invocation;
  const attach = !flags.bool('detach');
  const fromFiles = flags
    .list('env-file')
    .flatMap((path) => readEnvironmentFile(path, context.env));
  const fromFlags = flags.parsedList('env', (text) => parseEnvironment(text, context.env));
  return {
    AttachStdin: attach && flags.bool('interactive'),
    AttachStdout: attach,
    AttachStderr: attach,
    Tty: flags.bool('tty'),
    Cmd: operands.slice(1),
    Env: [...fromFiles, ...fromFlags.filter((entry) => entry !== undefined)],
    User: flags.string('user') ?? '',
    WorkingDir: flags.string('workdir') ?? '',
    DetachKeys: flags.string('detach-keys') ?? '',
    ...consoleSize(invocation),
  };
}

function consoleSize({ flags, context }: Invocation): { ConsoleSize?: readonly number[] } {
  if (!flags.bool('tty')) return {};
  const { rows, columns } = context.stdout;
  if (rows === undefined || columns === undefined) return {};
  return { ConsoleSize: [rows, columns] };
}

async function createExec(client: Client, box: string, body: unknown): Promise<string> {
  const path = `/containers/${segment(box)}/exec`;
  return stringOf(objectOf(await client.json({ method: 'POST', path, body }))['Id']);
}

async function exitStatus(client: Client, path: string): Promise<number> {
  const { Running, ExitCode } = objectOf(
    await client.json({ method: 'GET', path: `${path}/json` }),
  );
  if (Running === true || typeof ExitCode !== 'number') {
    throw new A3sError('agent-failed', 'The session ended while its command runs on', {
      remedy: 'See a3s-box logs and a3s-box ps for the state of the box.',
    });
  }
  return numberOf(ExitCode);
}
