import type { ContainerInspect } from '../../../../docker-api/containers/container.ts';
import { A3sError } from '../../../../errors.ts';
import { segment } from '../../../client/client.ts';
import {
  type JsonObject,
  objectOf,
  objectsOf,
  type Received,
  stringOf,
} from '../../../client/json.ts';
import type { Command } from '../../../command.ts';
import { UsageError } from '../../../usage-error.ts';
import { RATLS_PORT } from '../../../values/port.ts';

/** RA-TLS is served here, as documents of Docker name it. */
const SERVED = '4433/tcp';

export const port: Command = {
  usage: 'BOX [PRIVATE_PORT[/PROTO]]',
  flags: [],
  operands: { min: 1, max: 2 },
  async run({ context, operands }) {
    const [box = '', asked] = operands;
    const key = asked === undefined ? undefined : parsePrivatePort(asked);
    const client = await context.connect();
    const path = `/containers/${segment(box)}/json`;
    const document = objectOf<ContainerInspect>(await client.json({ method: 'GET', path }));
    const ports = shownPorts(document);
    if (key === undefined) {
      const names = Object.keys(ports).sort(byNumber);
      const lines = names.flatMap((name) =>
        hosts(ports[name]).map((host) => `${name} -> ${host}\n`),
      );
      context.stdout.write(lines.join(''));
      return 0;
    }
    const found = hosts(ports[key] ?? (key === SERVED ? ports[RATLS_PORT] : undefined));
    if (found.length === 0) {
      throw new A3sError('invalid-argument', `No public port '${key}' published for ${box}`, {
        remedy: `See all of them with a3s-box port ${box}.`,
      });
    }
    context.stdout.write(found.map((host) => `${host}\n`).join(''));
    return 0;
  },
};

/** By name: the port where a confidential box serves RA-TLS has one besides its number. */
function shownPorts({ NetworkSettings, Confidential }: Received<ContainerInspect>): JsonObject {
  const { [SERVED]: served, ...others } = objectOf<JsonObject>(objectOf(NetworkSettings).Ports);
  if (served === undefined) return others;
  const isConfidential = Confidential !== null && Confidential !== undefined;
  return { ...others, [isConfidential ? RATLS_PORT : SERVED]: served };
}

/** `80`, `80/tcp`, `ratls`. */
function parsePrivatePort(text: string): string {
  const [, number, protocol = 'tcp'] = /^(\d{1,5}|ratls)(?:\/([a-z]+))?$/.exec(text) ?? [];
  if (number === undefined || Number(number) > 65_535) {
    throw new UsageError(`invalid port: ${text}`, { status: 1 });
  }
  return `${number}/${protocol}`;
}

function hosts(bindings: unknown): readonly string[] {
  return objectsOf(bindings).map(({ HostIp, HostPort }) => {
    const ip = stringOf(HostIp);
    return `${ip.includes(':') ? `[${ip}]` : ip}:${stringOf(HostPort)}`;
  });
}

/** A port that has a name comes last. */
function byNumber(a: string, b: string): number {
  const number = (key: string): number => {
    const parsed = Number.parseInt(key, 10);
    return Number.isNaN(parsed) ? 65_536 : parsed;
  };
  return number(a) - number(b) || (a < b ? -1 : 1);
}
