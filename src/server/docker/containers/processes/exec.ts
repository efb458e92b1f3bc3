/**
 * The routes of exec.
 *
 * @module
 */
import type * as z from 'zod';
import type { ClientStream } from '../../../../boxes/run/client-stream.ts';
import type { Exec } from '../../../../boxes/run/execs.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import {
  checkStartable,
  createExec,
  type ExecHost,
  resizeExec,
  startAttached,
  startDetached,
} from '../../../../boxes/verbs/exec.ts';
import {
  ExecCreate,
  ExecCreated,
  ExecInspect,
  ExecStart,
} from '../../../../docker-api/containers/exec.ts';
import { A3sError } from '../../../../errors.ts';
import { empty, json } from '../../../http/answer.ts';
import { parseRequest } from '../../../http/parse.ts';
import { EMPTY, HIJACK } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { goBody, goDocument } from '../../go-document.ts';
import { noBody, query, sizeQuery } from '../../query.ts';
import { sizeOf } from '../create/parse-create.ts';
import { withoutUnsupported } from '../create/unsupported-options.ts';
import { parseDetachKeys } from '../output/detach-keys.ts';

const access = 'owner';

export const EXEC_KEYS = Object.keys(ExecCreate.shape);

export const EXEC_ROUTES: readonly Route<ExecHost & Pick<Runtime, 'execs' | 'networks'>>[] = [
  route('POST', '/containers/:id/exec', {
    access,
    summary: 'Create a process in a running box',
    answers: { 201: ExecCreated },
    query: query({}),
    // As in Docker, a missing box is reported before an unsupported option.
    body: { schema: ExecCreate, read: (document) => () => readCreate(document) },
    handler: ({ id, body }, rt) => {
      const { definition } = rt.store.resolve(id);
      const asked = body();
      expectSameBox(rt, definition.id, asked.Container);
      const exec = createExec(rt, definition.id, {
        command: asked.Cmd,
        env: asked.Env,
        cwd: asked.WorkingDir,
        user: asked.User,
        terminal: asked.Tty,
        size: sizeOf(asked.ConsoleSize),
        attach: {
          stdin: asked.AttachStdin,
          stdout: asked.AttachStdout,
          stderr: asked.AttachStderr,
        },
        detachKeys: parseDetachKeys(asked.DetachKeys),
        privileged: asked.Privileged,
      });
      return json({ Id: exec.id }, 201);
    },
  }),
  route('POST', '/exec/:id/start', {
    access,
    summary: 'Start a process that exec has created, and attach to its streams',
    answers: { 101: HIJACK, 200: EMPTY },
    query: query({}),
    body: goBody(ExecStart),
    handler: async ({ id, body }, rt) => {
      const exec = rt.execs.expect(id);
      checkStartable(rt, exec);
      if (body?.Detach === true) {
        await startDetached(rt, exec);
        return empty(200);
      }
      const size = exec.process.terminal ? sizeOf(body?.ConsoleSize) : undefined;
      // As in Docker, the start request says how the client reads the stream, whether or not the
      // process has a terminal.
      const raw = body?.Tty === true;
      return {
        kind: 'hijack' as const,
        multiplexed: !raw,
        serve: (client) => startShown(rt, exec, size, raw ? outputOf(client) : client),
      };
    },
  }),
  route('POST', '/exec/:id/resize', {
    access,
    summary: 'Resize the terminal of an exec process',
    answers: { 200: EMPTY },
    query: sizeQuery,
    body: noBody,
    handler: async ({ id, query }, rt) => {
      await resizeExec(rt, rt.execs.expect(id), { rows: query.h, columns: query.w });
      return empty(200);
    },
  }),
  route('GET', '/exec/:id/json', {
    access,
    summary: 'Inspect an exec process',
    answers: { 200: ExecInspect },
    query: query({}),
    body: noBody,
    handler: ({ id }, rt) => json(inspectExec(rt.execs.expect(id))),
  }),
];

/** @throws A3sError `unsupported-option` by name, or `invalid-argument` */
function readCreate(document: unknown): z.output<typeof ExecCreate> {
  const given = withoutUnsupported('', document, EXEC_KEYS, {}, { verb: 'exec' });
  return parseRequest(ExecCreate, goDocument(ExecCreate, given));
}

/** @throws A3sError `invalid-argument` for another box than the path's, `no-such-box` */
function expectSameBox({ store }: Pick<Runtime, 'store'>, id: string, reference: string): void {
  if (reference === '' || store.resolve(reference).definition.id === id) return;
  throw new A3sError(
    'invalid-argument',
    `Cannot exec: Container is ${reference.slice(0, 64)}, and the path names another box`,
    { remedy: 'Leave Container out: the path names the box.' },
  );
}

/**
 * A client of the raw stream gets standard output alone, since the raw stream cannot distinguish
 * standard error.
 */
function outputOf(client: ClientStream): ClientStream {
  return {
    ...client,
    write: async (stream, bytes) => {
      if (stream === 1) await client.write(1, bytes);
    },
  };
}

/**
 * As Docker does, the failure to start a program is written to its output, also where it was
 * started before: docker compose starts what it is attached to a second time, and takes any other
 * answer for a failure of the program. The exit code is on record.
 */
async function startShown(
  rt: ExecHost,
  exec: Exec,
  size: { rows: number; columns: number } | undefined,
  client: ClientStream,
): Promise<void> {
  try {
    await startAttached(rt, exec, size, client);
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    const said = error.code === 'conflict' ? error.message : `exec failed: ${error.message}`;
    await client.write(1, Buffer.from(`${said}\r\n`));
  }
}

function inspectExec(exec: Exec): ExecInspect {
  const [entrypoint = '', ...args] = exec.process.args;
  return {
    ID: exec.id,
    Running: exec.state === 'running',
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: {
      tty: exec.process.terminal,
      entrypoint,
      arguments: args,
      privileged: exec.privileged,
      user: exec.process.user,
    },
    OpenStdin: exec.attach.stdin,
    OpenStderr: exec.attach.stderr,
    OpenStdout: exec.attach.stdout,
    CanRemove: exec.state === 'exited',
    ContainerID: exec.boxId,
    DetachKeys: '',
    Pid: exec.pid,
  };
}
