/**
 * Converts an error to the gRPC status that a client gets.
 *
 * @module
 */
import { isDiskFull } from '../disk-full.ts';
import { A3sError, ERRORS, type ErrorCode } from '../errors.ts';

/** The codes of gRPC that methods of CRI end with. */
const STATUS = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unauthenticated: 16,
} as const;

export interface CriFailure {
  /** The number of the gRPC status. */
  readonly status: number;
  readonly message: string;
  /** Whether this is the server's fault, and belongs into its log. */
  readonly unexpected: boolean;
}

/**
 * Errors that kubelet shows as states of a pod by a name of their own. It finds the name where a
 * message with the status UNKNOWN begins with it.
 */
const KUBELET_NAMES: Partial<Record<ErrorCode, string>> = {
  'image-untrusted': 'SignatureValidationFailed',
  'registry-unreachable': 'RegistryUnavailable',
};

/** What clients of CRI do about errors that all of this server's clients get. */
const REMEDIES: Partial<Record<ErrorCode, string>> = {
  'no-such-image': 'Pull it first: crictl pull IMAGE',
  'image-in-use':
    'Remove what was made of it first: crictl ps -a shows containers, and a3s-box ps -a shows boxes.',
  'no-such-container': 'crictl ps -a shows the containers that there are.',
  'no-such-pod': 'crictl pods shows the pods that there are.',
  'registry-unauthorized':
    'Correct the image pull secret of the pod, or the credentials: crictl pull --creds USER:PASSWORD IMAGE',
};

/** The client gets no details of an unexpected error. */
export function criFailure(error: unknown): CriFailure {
  if (error instanceof A3sError) {
    const { code } = error;
    const remedy = REMEDIES[code] ?? error.remedy;
    const { status, unlogged = false } = ERRORS[code];
    const name = KUBELET_NAMES[code];
    const text = remedy === undefined ? error.message : `${error.message}\n${remedy}`;
    return {
      status: name === undefined ? statusOf(status) : STATUS.unknown,
      message: name === undefined ? `${text} (${code})` : `${name}: ${text} (${code})`,
      unexpected: status >= 500 && !unlogged && name === undefined,
    };
  }
  const message = isDiskFull(error)
    ? 'No space is left on the device that holds A3S_HOME (disk-full)'
    : 'The server failed in a way that was not foreseen (internal)';
  return { status: STATUS.internal, message, unexpected: true };
}

function statusOf(http: number): number {
  switch (http) {
    case 400:
      return STATUS.invalidArgument;
    case 401:
      return STATUS.unauthenticated;
    case 403:
      return STATUS.permissionDenied;
    case 404:
      return STATUS.notFound;
    case 409:
      return STATUS.failedPrecondition;
    case 413:
    case 429:
    case 507:
      return STATUS.resourceExhausted;
    case 501:
      return STATUS.unimplemented;
    case 504:
      return STATUS.deadlineExceeded;
    default:
      return STATUS.internal;
  }
}
