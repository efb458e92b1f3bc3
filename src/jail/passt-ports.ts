/**
 * The options of passt and pasta, which are one program, for published ports.
 *
 * @module
 */

/** A port of the host, and the port of the guest that it leads to. */
export interface ForwardedPort {
  readonly hostIp: string;
  readonly hostPort: number;
  readonly boxPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Only these ports are published. */
export function portOptions(ports: readonly ForwardedPort[]): string[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) => {
    const option = `--${protocol}-ports`;
    const specs = ports
      .filter((port) => port.protocol === protocol)
      .map(({ hostIp, hostPort, boxPort }) => `${hostIp}/${hostPort}:${boxPort}`);
    return (specs.length === 0 ? ['none'] : specs).flatMap((spec) => [option, spec]);
  });
}
