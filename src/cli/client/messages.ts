/**
 * Answers that report progress: one JSON document a line, which includes a failure after the status
 * was sent.
 *
 * @module
 */
import type { FailureLine } from '../../docker-api/failure-line.ts';
import { A3sError } from '../../errors.ts';
import type { Call, Client } from './client.ts';
import { isErrorCode, printable, unreachable } from './failure.ts';
import { objectOf, type Received, stringOf } from './json.ts';
import { jsonLines } from './json-lines.ts';

/** @throws A3sError for the failure that the stream reports, or the loss of the server */
export async function* messages<Message>(
  client: Client,
  call: Call,
): AsyncGenerator<Received<Message> & object> {
  const response = await client.stream(call);
  try {
    for await (const line of jsonLines(response)) {
      throwFailure(objectOf<FailureLine>(line));
      yield objectOf<Message>(line);
    }
  } catch (error) {
    throw error instanceof A3sError ? error : unreachable(error, client.socket);
  }
}

function throwFailure({ error, errorDetail, code, remedy }: Received<FailureLine>): void {
  if (typeof error !== 'string' && errorDetail === undefined) return;
  const hint = stringOf(remedy);
  throw new A3sError(
    isErrorCode(code) ? code : 'internal',
    printable(stringOf(error) || stringOf(objectOf(errorDetail).message)),
    { remedy: hint === '' ? undefined : printable(hint) },
  );
}
