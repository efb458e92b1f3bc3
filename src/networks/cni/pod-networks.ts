/**
 * What the server asks of the network that pods share.
 *
 * @module
 */

/** What a pod is to its network. */
export interface PodPlace {
  /** Id of the pod: 64 hexadecimal digits. */
  readonly pod: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** Of the guest's card. */
  readonly mac: string;
  /** Ports of the node that lead to the pod. */
  readonly ports: readonly PodPortMapping[];
  /** A guest with addresses of its own, which are translated. Absent: it gets the pod's. */
  readonly guest?: FixedGuest | undefined;
}

/** What a guest has of a network, whatever network its pod is in. */
export interface FixedGuest {
  readonly address: string;
  readonly gateway: string;
  readonly nameserver: string;
  readonly mtu: number;
}

export interface PodPortMapping {
  readonly hostIp: string;
  readonly hostPort: number;
  readonly boxPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** A pod that is being put into its network. */
export interface PodAttachment {
  /**
   * Descriptor of the tap device of the guest's card, which the caller closes. It leads nowhere
   * before the pod is in the network.
   */
  readonly tap: number;
  /**
   * What the pod has in the network; settles when the pod is in it as a whole. Rejects with an
   * A3sError `network-failed` or `tool-missing`; then nothing of the pod is left in the network.
   */
  readonly joined: Promise<PodAddresses>;
}

/** What a pod has in its network. */
export interface PodAddresses {
  readonly mtu: number;
  readonly ipv4: {
    readonly address: string;
    readonly prefixLength: number;
    readonly gateway: string;
  };
  /** Absent: none. */
  readonly ipv6?: { readonly address: string; readonly prefixLength: number } | undefined;
  /** All addresses that lead to the pod. */
  readonly addresses: readonly string[];
  /** Of the network; empty: it names none. */
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export interface NetworkReadiness {
  readonly ready: boolean;
  /** One word, where it is not ready. */
  readonly reason: string;
  readonly message: string;
}

export interface PodNetworks {
  /** Whether pods can be put into the network of the node. */
  readiness(): Promise<NetworkReadiness>;
  /**
   * Whether the node has a network for pods. Where it has none, pods have networks of their own.
   *
   * @throws A3sError `network-unavailable` where it has one that cannot be used
   */
  isConfigured(): Promise<boolean>;
  /**
   * Puts a pod into the network. Returns when the pod's tap device is there: what else its
   * plugins make takes longer than the start of a microVM waits for. Where it cannot, nothing of
   * the pod is left in the network.
   *
   * A `detach` that comes before the pod is in the network waits for that.
   *
   * @throws A3sError `network-failed`, `network-unavailable`, `unsupported-option`, `tool-missing`
   */
  attach(place: PodPlace): Promise<PodAttachment>;
  /**
   * Takes a pod out of the network. Nothing happens where it is not in it.
   *
   * @throws A3sError `network-failed`; the pod is still known, and can be taken out later
   */
  detach(pod: string): Promise<void>;
  /** Takes out all pods but these, and checks those. Never rejects: the log says what failed. */
  reconcile(kept: readonly string[]): Promise<void>;
}
