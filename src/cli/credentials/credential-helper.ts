/**
 * Programs that keep credentials: `docker-credential-NAME get|store|erase`, JSON over standard
 * input and output.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { A3sError } from '../../errors.ts';
import { printable } from '../client/failure.ts';
import { objectOf, stringOf } from '../client/json.ts';
import { type Credentials, NOBODY } from './credentials.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type Action = 'get' | 'store' | 'erase';

/** Enough time for a user to unlock a key ring. */
export const HELPER_DEADLINE_MS = 120_000;

const MAX_OUTPUT = 256 * 1024;
const MAX_COMPLAINT = 200;

/** The name of a program, without a path: it is looked up in PATH alone. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** In place of a user's name, it marks the secret as an identity token. */
const TOKEN_USER = '<token>';

/** Messages by which helpers report that they have no credentials. */
const NOT_FOUND = /credentials not found in native keychain/;

export class CredentialHelper {
  readonly #program: string;
  readonly #env: Environment;
  readonly #deadlineMs: number;

  /** @throws A3sError `invalid-argument` for a name that is not valid */
  constructor(name: string, env: Environment, deadlineMs = HELPER_DEADLINE_MS) {
    if (!NAME.test(name)) {
      throw new A3sError(
        'invalid-argument',
        `Cannot use the credential helper ${JSON.stringify(name.slice(0, 100))}: its name must be letters, digits, ".", "_" and "-"`,
        { remedy: 'Correct credsStore and credHelpers in config.json.' },
      );
    }
    this.#program = `docker-credential-${name}`;
    this.#env = env;
    this.#deadlineMs = deadlineMs;
  }

  /** Undefined where it has none for this registry. */
  async get(key: string): Promise<Credentials | undefined> {
    const { status, output } = await this.#run('get', key);
    if (status !== 0) {
      if (NOT_FOUND.test(output)) return undefined;
      throw this.#failed('get', output);
    }
    const answer = this.#parse(output);
    const { Username: username, Secret: secret } = objectOf(answer);
    if (typeof username !== 'string' || typeof secret !== 'string') {
      throw this.#useless('an object with Username and Secret');
    }
    if (username === TOKEN_USER) return { ...NOBODY, identityToken: secret };
    return { ...NOBODY, username, password: secret };
  }

  async store(key: string, credentials: Credentials): Promise<void> {
    const { username, password, identityToken } = credentials;
    const token = identityToken !== '';
    const input = JSON.stringify({
      ServerURL: key,
      Username: token ? TOKEN_USER : username,
      Secret: token ? identityToken : password,
    });
    const { status, output } = await this.#run('store', input);
    if (status !== 0) throw this.#failed('store', output);
  }

  async erase(key: string): Promise<void> {
    const { status, output } = await this.#run('erase', key);
    if (status !== 0 && !NOT_FOUND.test(output)) throw this.#failed('erase', output);
  }

  #run(action: Action, input: string): Promise<{ status: number; output: string }> {
    const child = spawn(this.#program, [action], {
      env: this.#env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const giveUp = (error: A3sError): void => {
        clearTimeout(deadline);
        child.kill('SIGKILL');
        // A process that the helper started may hold the pipe open forever.
        child.stdout.destroy();
        reject(error);
      };
      const deadline = setTimeout(() => {
        const timeout = `${this.#deadlineMs / 1000} seconds`;
        giveUp(this.#failed(action, `it did not answer within ${timeout}`));
      }, this.#deadlineMs);
      child.on('error', (error: NodeJS.ErrnoException) => {
        const missing = error.code === 'ENOENT';
        giveUp(missing ? this.#missing() : this.#failed(action, error.message));
      });
      child.stdout.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_OUTPUT) giveUp(this.#useless(`at most ${MAX_OUTPUT} bytes`));
        else chunks.push(chunk);
      });
      child.on('close', (code) => {
        clearTimeout(deadline);
        resolve({ status: code ?? 1, output: Buffer.concat(chunks).toString() });
      });
      // A helper that does not read its input has decided already; its status has the result.
      child.stdin.on('error', () => undefined).end(input);
    });
  }

  #parse(output: string): unknown {
    try {
      return JSON.parse(output);
    } catch {
      // Its output may be the secret, so it is not part of the error.
      throw this.#useless('a JSON document');
    }
  }

  #missing(): A3sError {
    return new A3sError('tool-missing', `${this.#program} is not in PATH`, {
      remedy: 'Install it, or correct credsStore and credHelpers in config.json.',
    });
  }

  #failed(action: Action, complaint: string): A3sError {
    const text = printable(stringOf(complaint.trim().split('\n')[0]).slice(0, MAX_COMPLAINT));
    return new A3sError(
      'internal',
      `${this.#program} ${action} failed: ${text || 'it does not say why'}`,
      { remedy: 'Try it by hand, or take it out of config.json and log in again.' },
    );
  }

  #useless(expected: string): A3sError {
    return new A3sError(
      'internal',
      `${this.#program} answered with something else than ${expected}`,
      { remedy: 'Update it, or take it out of config.json and log in again.' },
    );
  }
}
