/**
 * Opens a verified session: no application data is sent before the peer has passed every check.
 *
 * @module
 */
import type { ClientHttp2Session } from 'node:http2';
import { failedChecks, passedChecks, type RatlsCheckCode } from '../checks.ts';
import { isRatlsRefusal, RatlsError } from '../errors.ts';
import { speakHttp2 } from './exchange.ts';
import { deadline, interruption } from './interruption.ts';
import { type ConnectOptions, DEFAULT_TIMEOUT } from './options.ts';
import { RatlsSession } from './session.ts';
import { openTlsConnection } from './tls-connection.ts';
import { challenge, checkHint } from './verify-peer.ts';

/**
 * Opens a session with a box, challenges it and checks its evidence against the policy.
 *
 * Every connection is challenged: only this creates a {@link RatlsSession}, and no session is
 * resumed.
 *
 * @throws {RatlsError} with the code of the first check that failed and all `checks`, or one of
 *   `simulated-not-allowed`, `unreachable`, `timeout`, `aborted`
 * @throws {TypeError} for a policy that no parser returned
 */
export async function connect(options: ConnectOptions): Promise<RatlsSession> {
  const { timeout = DEFAULT_TIMEOUT } = options;
  const skipped = new Set<RatlsCheckCode>();
  try {
    requireAllowed(options);
    const signal = deadline(timeout, options.signal);
    if (signal.aborted) throw interruption(signal);
    return await verified({ ...options, timeout, signal }, skipped);
  } catch (error) {
    options.socket?.destroy();
    if (!isRatlsRefusal(error)) throw error;
    const { code, message, expected, found, remedy, cause, appraisal } = error;
    const checks = failedChecks(error, skipped);
    throw new RatlsError(code, message, { expected, found, remedy, cause, appraisal, checks });
  }
}

type ResolvedOptions = ConnectOptions & { readonly timeout: number; readonly signal: AbortSignal };

async function verified(
  options: ResolvedOptions,
  skipped: Set<RatlsCheckCode>,
): Promise<RatlsSession> {
  const { expect = {} } = options;
  const connection = await openTlsConnection(options, options.signal);
  let session: ClientHttp2Session | undefined;
  try {
    const hint = await checkHint(connection, options, skipped);
    session = speakHttp2(connection.socket);
    const peer = await challenge(connection, session, hint, options);
    const said = {
      spec: expect.specDigest,
      instance: expect.instance,
      deployment: expect.deployment,
    };
    for (const [name, value] of Object.entries(said)) {
      if (value === undefined) skipped.add(`expected-${name as keyof typeof said}`);
    }
    const checks = passedChecks(skipped);
    return new RatlsSession(connection.socket, session, { ...peer, checks }, options.timeout);
  } catch (error) {
    session?.destroy();
    connection.socket.destroy();
    throw error;
  }
}

function requireAllowed({ policy, allowSimulated }: ConnectOptions): void {
  if (policy.tee !== 'simulated' || allowSimulated === true) return;
  throw new RatlsError(
    'simulated-not-allowed',
    'Cannot trust simulated evidence: it is not allowed.',
    {
      remedy: 'Simulated evidence proves nothing: where that will do, say so beside the policy.',
    },
  );
}
