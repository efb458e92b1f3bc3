/**
 * What a request for a confidential box asks for.
 *
 * @module
 */
import type { BrokerEndpoint, HostPermission, Sealing } from '@a3s-box/policies';
import type { Tee } from '../../engine/vm/confidential-launch.ts';

export interface ConfidentialRequest {
  readonly tee: Tee;
  readonly hostMay: readonly HostPermission[];
  readonly secrets: readonly SecretRequest[];
  /** Where secrets with a resource are fetched from. */
  readonly broker: BrokerEndpoint | undefined;
  readonly deployment: string;
  readonly changes: 'memory' | 'encrypted-disk';
  /** Seconds. */
  readonly secretsDeadline: number;
  /** Which keys the agent derives. */
  readonly sealing: Sealing;
  /** Public keys in PEM whose holders may seal and unseal over RA-TLS. */
  readonly sealerKeys: readonly string[];
  /**
   * How many networks the host may put the box into, its own among them; absent: as many as it is
   * created in.
   */
  readonly hostNetworks?: number | undefined;
  /** Names that the host may give addresses of them, besides those of links. Absent: none. */
  readonly hostNames?: readonly string[] | undefined;
  /** Id or directory of a boot set that is to be used instead of the current one. */
  readonly bootSet: string | undefined;
  readonly identity: { readonly block: Uint8Array; readonly auth: Uint8Array } | undefined;
}

export interface SecretRequest {
  readonly name: string;
  /** Public keys in PEM whose holders may inject it. */
  readonly injectorKeys: readonly string[];
  readonly allowAnyInjector: boolean;
  /** Its path at the broker, from where the agent fetches it; undefined: it is injected. */
  readonly resource: string | undefined;
  /** After how many seconds the agent fetches it again; undefined: never. */
  readonly refresh: number | undefined;
  /** The environment variable that it becomes; undefined: it becomes a file. */
  readonly variable: string | undefined;
}

/** The port at which the guest serves RA-TLS. */
export const RATLS_PORT = 4433;
