import type {
  ExecCreate,
  ExecCreated,
  ExecInspect,
  ExecStart,
} from '../../../../docker-api/containers/exec.ts';
import { A3sError } from '../../../../errors.ts';
import { type Client, segment } from '../../../client/client.ts';
import { numberOf, objectOf, stringOf } from '../../../client/json.ts';
import type { Command, Invocation } from '../../../command.ts';
import type { Context } from '../../../context.ts';
import { bool, byName, type Flag, list, string } from '../../../flags/flag.ts';
import { AttachedStream } from '../../../terminal/attached-stream.ts';
import { attend } from '../../../terminal/attend.ts';
import { checkTerminal, detachKeys } from '../../../terminal/terminal.ts';
import { parseEnvironment, readEnvironmentFile } from '../../../values/environment.ts';

/** The flags of every process that is started in a box. */
export const EXEC_FLAGS: readonly Flag[] = [
  string('detach-keys', 'Override the key sequence for detaching from a box'),
  list('env', 'Set environment variables', { short: 'e' }),
  list('env-file', 'Read in a file of environment variables', { value: 'file' }),
  string('user', 'Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' }),
  string('workdir', 'Working directory inside the box', { short: 'w' }),
];

export const exec: Command = {
  usage: '[OPTIONS] BOX COMMAND [ARG...]',
  flags: byName([
    ...EXEC_FLAGS,
    bool('detach', 'Detached mode: run command in the background', { short: 'd' }),
    bool('interactive', 'Keep STDIN open even if not attached', { short: 'i' }),
    bool('privileged', 'Give all capabilities to the command'),
    bool('tty', 'Allocate a pseudo-TTY', { short: 't' }),
  ]),
  operands: { min: 2, max: Infinity },
  passThrough: true,
  run(invocation) {
    const { flags, operands } = invocation;
    const [box = '', ...command] = operands;
    return runExec(invocation, {
      box,
      command,
      detach: flags.bool('detach'),
      input: flags.bool('interactive'),
      terminal: flags.bool('tty'),
      privileged: flags.bool('privileged'),
    });
  },
};

/** The program, its box, and the streams of this process that it gets. */
export interface Execution {
  readonly box: string;
  readonly command: readonly string[];
  readonly detach: boolean;
  readonly input: boolean;
  readonly terminal: boolean;
  readonly privileged?: boolean;
}

/** @param invocation with EXEC_FLAGS among its flags @returns the exit status of the command */
export async function runExec(invocation: Invocation, execution: Execution): Promise<number> {
  const { context, flags } = invocation;
  const { box, detach, terminal } = execution;
  const body = execRequest(invocation, execution);
  const keys = detachKeys(flags);
  const input = execution.input && !detach;
  checkTerminal(context, input && terminal);
  const client = await context.connect();
  const id = await createExec(client, box, body);
  const path = `/exec/${segment(id)}`;
  if (detach) {
    const start: ExecStart = { Detach: true, Tty: terminal };
    await client.json({ method: 'POST', path: `${path}/start`, body: start });
    return 0;
  }
  const ConsoleSize = consoleSize(context, terminal);
  const start: ExecStart = { Detach: false, Tty: terminal, ConsoleSize };
  const { stream } = await client.hijack({ method: 'POST', path: `${path}/start`, body: start });
  const attachedStream = new AttachedStream(context, stream, { terminal, input, detachKeys: keys });
  return attend({
    context,
    client,
    stream: attachedStream,
    signalled: undefined,
    resize: terminal ? `${path}/resize` : undefined,
    status: () => exitStatus(client, path),
  });
}

function execRequest(
  { context, flags }: Invocation,
  { command, detach, input, terminal, privileged }: Execution,
): ExecCreate {
  const attach = !detach;
  const fromFiles = flags
    .list('env-file')
    .flatMap((path) => readEnvironmentFile(path, context.env));
  const fromFlags = flags.parsedList('env', (text) => parseEnvironment(text, context.env));
  return {
    AttachStdin: attach && input,
    AttachStdout: attach,
    AttachStderr: attach,
    Tty: terminal,
    ...(privileged ? { Privileged: true } : {}),
    Cmd: command,
    Env: [...fromFiles, ...fromFlags.filter((entry) => entry !== undefined)],
    User: flags.string('user') ?? '',
    WorkingDir: flags.string('workdir') ?? '',
    DetachKeys: flags.string('detach-keys') ?? '',
    ConsoleSize: consoleSize(context, terminal),
  };
}

function consoleSize({ stdout }: Context, terminal: boolean): ExecCreate['ConsoleSize'] {
  const { rows, columns } = stdout;
  return terminal && rows !== undefined && columns !== undefined ? [rows, columns] : undefined;
}

async function createExec(client: Client, box: string, body: ExecCreate): Promise<string> {
  const path = `/containers/${segment(box)}/exec`;
  return stringOf(objectOf<ExecCreated>(await client.json({ method: 'POST', path, body })).Id);
}

async function exitStatus(client: Client, path: string): Promise<number> {
  const { Running, ExitCode } = objectOf<ExecInspect>(
    await client.json({ method: 'GET', path: `${path}/json` }),
  );
  if (Running === true || typeof ExitCode !== 'number') {
    throw new A3sError('agent-failed', 'The connection ended while its command runs on', {
      remedy: 'See a3s-box logs and a3s-box ps for the state of the box.',
    });
  }
  return numberOf(ExitCode);
}
