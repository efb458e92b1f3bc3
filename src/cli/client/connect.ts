/**
 * Finds the control server of this home, and starts it where there is none.
 *
 * @module
 */
import type { Config } from '../../config.ts';
import { A3sError } from '../../errors.ts';
import { Client } from './client.ts';
import { unreachable } from './failure.ts';
import { type Greeted, greet } from './greet.ts';

/**
 * @param installDir the directory of `server.cjs`
 * @throws A3sError the reason for which the server did not start, or `server-unreachable`
 */
export async function connectOrStart(
  config: Config,
  installDir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Client> {
  const asked = answer(config.socket);
  // The code for the first request is loaded while the server prepares its answer.
  await Promise.all([asked, import('node:http')]);
  let greeted = await asked;
  if (greeted === undefined) {
    const { startUntil } = await import('./start-server.ts');
    const answers = async (): Promise<boolean> => {
      greeted = await answer(config.socket);
      return greeted !== undefined;
    };
    await startUntil(answers, config, installDir, env);
  }
  return new Client(config.socket, greeted);
}

/** A client of the running server; undefined where none runs. */
export async function connectRunning(config: Config): Promise<Client | undefined> {
  const greeted = await answer(config.socket);
  return greeted === undefined ? undefined : new Client(config.socket, greeted);
}

/** Undefined where no server listens. Two commands may both find none: then one server wins. */
async function answer(socket: string): Promise<Greeted | undefined> {
  try {
    return await greet(socket);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // ECONNRESET and EPIPE: a server that is about to end.
    if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(String(code))) return undefined;
    throw error instanceof A3sError ? error : unreachable(error, socket);
  }
}
