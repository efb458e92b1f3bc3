/**
 * What is asked for when a box is to be made.
 *
 * @module
 */
import type { Bind, BoxDefinition, Port } from './box.ts';
import type { ConfidentialRequest } from './confidential/request.ts';

/** What the caller asks for. What is undefined comes from the image, or from a default. */
export interface CreateRequest {
  readonly name: string | undefined;
  readonly image: string;
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  readonly env: readonly string[];
  readonly cwd: string | undefined;
  readonly user: string | undefined;
  readonly hostname: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly terminal: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly attach: BoxDefinition['attach'];
  readonly size: BoxDefinition['size'];
  readonly stopSignal: string | undefined;
  readonly stopTimeout: number | undefined;
  readonly autoRemove: boolean;
  readonly memoryBytes: number;
  readonly nanoCpus: number;
  readonly network: BoxDefinition['network'];
  readonly ports: readonly Port[];
  readonly exposedPorts: readonly string[];
  readonly binds: readonly Bind[];
  readonly confidential?: ConfidentialRequest | undefined;
}
