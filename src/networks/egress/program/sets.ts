/**
 * Opens addresses in the packet filter of the namespace that this program runs in. It has no
 * capability for that, and needs none: it sends a datagram that names the address, the rule and the
 * time, and a rule of the packet filter takes them from there.
 *
 * @module
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Policy } from '../decide.ts';
import { namedSets, PIN_SECONDS, PIN_TO } from '../packet-rules.ts';
import { addressBytes } from './dns-message.ts';
import type { AddToSets } from './pins.ts';

/** The sets of these policies, as the rules of the namespace have them. */
export async function openSets(policies: readonly Policy[]): Promise<AddToSets> {
  const connected = async (port: number): Promise<Socket> => {
    const socket = createSocket('udp4');
    socket.connect(port, PIN_TO.address);
    await once(socket, 'connect');
    return socket;
  };
  const [four, six] = [await connected(PIN_TO.port), await connected(PIN_TO.port6)];
  const sets = namedSets(policies).map(({ set }) => set);
  return async (elements) => {
    await Promise.all(
      elements.map((element) => {
        const socket = typeof element.address === 'number' ? four : six;
        return send(socket, pinMessage(sets, element));
      }),
    );
  };
}

/**
 * The message: an address, and the numbers of the set and of the time.
 *
 * @throws Error where the rules have no such set or time: they would drop the message silently
 */
export function pinMessage(
  sets: readonly string[],
  { set, address, seconds }: Parameters<AddToSets>[0][number],
): Buffer {
  const [setNumber, timeNumber] = [sets.indexOf(set), PIN_SECONDS.indexOf(seconds)];
  if (setNumber < 0) throw new Error(`the packet filter has no set ${set}`);
  if (timeNumber < 0) throw new Error(`the packet filter has no time of ${seconds} seconds`);
  const numbers = Buffer.alloc(4);
  numbers.writeUInt16BE(setNumber, 0);
  numbers.writeUInt16BE(timeNumber, 2);
  return Buffer.concat([addressBytes(address), numbers]);
}

/** The rules decide before this returns; what they do not take is refused to the sender. */
function send(socket: Socket, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(message, (error) => {
      if (error === null) resolve();
      else reject(new Error(`the packet filter did not take an address: ${error.message}`));
    });
  });
}
