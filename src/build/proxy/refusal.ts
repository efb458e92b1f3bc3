/**
 * A request of a builder that is refused, with a reason for the user.
 *
 * The answer to HEAD has no body, and BuildKit shows the status line of it, so the reason is the
 * phrase of the status line as well.
 *
 * @module
 */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { A3sError, ERRORS } from '../../errors.ts';

const MAX_PHRASE = 500;

export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}

/** By which policy a build began is by which its images are decided on. */
export function changedMeanwhile(): Refusal {
  return new Refusal(403, 'the image policy was changed while the build runs: build again');
}

/** Codes of the distribution specification, by status. */
const CODES: Readonly<Record<number, string>> = {
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  404: 'MANIFEST_UNKNOWN',
  429: 'TOOMANYREQUESTS',
};

/** What an error means for a client of a registry. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (!(error instanceof A3sError)) return new Refusal(502, 'the control server failed');
  if (error.code === 'not-in-registry') return new Refusal(404, error.message);
  return new Refusal(ERRORS[error.code].status, error.message);
}

/** Sends a refusal; as a registry does, in JSON. */
export function sendRefusal(
  response: ServerResponse,
  { status, message }: Refusal,
  headers: Readonly<Record<string, string>> = {},
): void {
  const code = CODES[status] ?? 'DENIED';
  const body = JSON.stringify({ errors: [{ code, message }] });
  response.writeHead(status, phraseOf(status, message), {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** A status line holds printable ASCII alone. A missing image has the usual words. */
export function phraseOf(status: number, message: string): string {
  const usual = STATUS_CODES[status] ?? 'Refused';
  if (status === 404 || status === 401) return usual;
  const printable = message.replace(/[^ -~]+/g, ' ').slice(0, MAX_PHRASE);
  return printable === '' ? usual : `${usual}: ${printable}`;
}
