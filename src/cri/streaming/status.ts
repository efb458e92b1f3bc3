/**
 * How a command ended, as its client reads it from the stream of errors: `Status` of Kubernetes'
 * meta/v1.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

export interface CommandStatus {
  readonly metadata: Record<never, never>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: 'NonZeroExitCode' | 'InternalError';
  readonly details?: {
    readonly causes: readonly { readonly reason?: string; readonly message: string }[];
  };
  readonly code?: number;
}

/** @param exitCode undefined where the client did not wait for the process's end */
export function exitStatus(exitCode: number | undefined): CommandStatus {
  if (exitCode === undefined || exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    // `kubectl` exits with this number.
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

/** The client gets no details of an unexpected error. */
export function failureStatus(error: unknown): CommandStatus {
  const message = failureText(error);
  return {
    ...{ metadata: {}, status: 'Failure', message, reason: 'InternalError' },
    ...{ details: { causes: [{ message }] }, code: 500 },
  };
}

export function failureText(error: unknown): string {
  if (error instanceof A3sError) return `${error.message} (${error.code})`;
  return 'The server failed in a way that was not foreseen (internal)';
}
