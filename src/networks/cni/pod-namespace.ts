/**
 * What the namespace of every pod has between the device that plugins of CNI have made, and the tap
 * device of the guest.
 *
 * @module
 */
import * as z from 'zod';
import { writeSettings } from '../host/namespace.ts';
import { runProgram } from '../host/run-program.ts';
import { TAP } from '../host/tap.ts';

/** The device of the pod's namespace that plugins make. */
export const POD_DEVICE = 'eth0';

const Links = z.tuple([z.looseObject({ mtu: z.int() })]);

/** The largest packet that the network carries. */
export async function podMtu(namespace: string): Promise<number> {
  const text = await runProgram('ip', ['-json', 'link', 'show', 'dev', POD_DEVICE], { namespace });
  const [{ mtu }] = Links.parse(JSON.parse(text));
  return mtu;
}

/**
 * Has the namespace forward packets between its devices.
 *
 * @param answering the devices on which it answers for every address that it has a route to
 */
export async function forwardPackets(
  namespace: string,
  answering: readonly string[],
  ipv6: Readonly<Record<string, number>> = {},
): Promise<void> {
  await writeSettings(namespace, {
    ipv4: {
      ip_forward: 1,
      'conf/all/rp_filter': 0,
      'conf/all/send_redirects': 0,
      'conf/all/accept_source_route': 0,
      ...deviceSettings(TAP, answering.includes(TAP)),
      ...deviceSettings(POD_DEVICE, answering.includes(POD_DEVICE)),
    },
    ipv6,
  });
}

function deviceSettings(device: string, isAnswering: boolean): Readonly<Record<string, number>> {
  return {
    [`conf/${device}/proxy_arp`]: isAnswering ? 1 : 0,
    [`conf/${device}/send_redirects`]: 0,
    [`conf/${device}/rp_filter`]: 0,
    [`conf/${device}/accept_local`]: 1,
    // Without delay.
    [`neigh/${device}/proxy_delay`]: 0,
  };
}

/** Runs commands of `ip`, one after the other. */
export async function ipBatch(
  namespace: string,
  family: '-4' | '-6',
  commands: readonly string[],
): Promise<void> {
  await runProgram('ip', [family, '-batch', '-'], { namespace, input: lines(commands) });
}

export function lines(parts: readonly string[]): string {
  return `${parts.join('\n')}\n`;
}
