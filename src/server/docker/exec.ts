/**
 * The routes of exec.
 *
 * @module
 */
import * as z from 'zod';
import {
  checkStartable,
  createExec,
  resizeExec,
  startAttached,
  startDetached,
} from '../../boxes/exec.ts';
import type { Exec } from '../../boxes/execs.ts';
import type { Runtime } from '../../boxes/runtime.ts';
import type { Stdio } from '../../boxes/stdio.ts';
import { A3sError } from '../../errors.ts';
import { type Answer, empty, json } from '../http/answer.ts';
import { parseRequest } from '../http/parse.ts';
import { type Route, route } from '../route.ts';
import { consoleSize, environment, sizeOf, text } from './create-schema.ts';
import { parseDetachKeys } from './detach-keys.ts';
import { NEUTRAL_EXEC, withoutNeutral } from './neutral.ts';
import { noBody, query, sizeQuery } from './query.ts';

const access = 'owner';

const Create = z.strictObject({
  AttachStdin: z.boolean().default(false),
  AttachStdout: z.boolean().default(false),
  AttachStderr: z.boolean().default(false),
  Tty: z.boolean().default(false),
  Detach: z.boolean().default(false),
  DetachKeys: z.string().max(256).default(''),
  Cmd: z.array(text).max(65_536).default([]),
  Env: environment.default([]),
  User: text.max(256).default(''),
  WorkingDir: text
    .max(4096)
    .regex(/^(\/|$)/, { error: 'must be an absolute path' })
    .default(''),
  ConsoleSize: consoleSize,
});
const CREATE_KEYS = Object.keys(Create.shape);

const Start = z
  .strictObject({
    Detach: z.boolean().nullish(),
    Tty: z.boolean().nullish(),
    ConsoleSize: consoleSize,
    // A widely used client sends its own options along; they say how it holds the connection.
    hijack: z.boolean().optional(),
    stdin: z.boolean().optional(),
  })
  .nullish();

export const EXEC_ROUTES: readonly Route[] = [
  route('POST', '/containers/:id/exec', {
    access,
    query: query({}),
    body: noBody,
    handler: ({ rt, id, body }) => {
      const { definition } = rt.store.resolve(id);
      const asked = parseRequest(Create, withoutNeutral('', body, CREATE_KEYS, NEUTRAL_EXEC));
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
      });
      return json({ Id: exec.id }, 201);
    },
  }),
  route('POST', '/exec/:id/start', {
    access,
    query: query({}),
    body: Start,
    handler: async ({ rt, id, body }): Promise<Answer> => {
      const exec = rt.execs.expect(id);
      checkStartable(rt, exec);
      if (body?.Detach === true) {
        await startDetached(rt, exec);
        return empty(200);
      }
      const size = exec.process.terminal ? sizeOf(body?.ConsoleSize) : undefined;
      return {
        kind: 'hijack',
        multiplexed: !exec.process.terminal,
        serve: (stdio) => startShown(rt, exec, size, stdio),
      };
    },
  }),
  route('POST', '/exec/:id/resize', {
    access,
    query: sizeQuery,
    body: noBody,
    handler: async ({ rt, id, query }) => {
      await resizeExec(rt, rt.execs.expect(id), { rows: query.h, columns: query.w });
      return empty(200);
    },
  }),
  route('GET', '/exec/:id/json', {
    access,
    query: query({}),
    body: noBody,
    handler: ({ rt, id }) => json(inspectExec(rt.execs.expect(id))),
  }),
];

/** As Docker does, a program that does not start says so where its output would be; its exit code is on record. */
async function startShown(
  rt: Runtime,
  exec: Exec,
  size: { rows: number; columns: number } | undefined,
  stdio: Stdio,
): Promise<void> {
  try {
    await startAttached(rt, exec, size, stdio);
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    await stdio.write(1, Buffer.from(`exec failed: ${error.message}\r\n`));
  }
}

function inspectExec(exec: Exec) {
  const [entrypoint = '', ...args] = exec.process.args;
  return {
    ID: exec.id,
    Running: exec.state === 'running',
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: {
      tty: exec.process.terminal,
      entrypoint,
      arguments: args,
      privileged: false,
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
