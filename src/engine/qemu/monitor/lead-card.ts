/**
 * Leads the cards of a confidential VM to other tap devices while it runs.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import type { FixedCard } from '../../vm/devices.ts';
import { cardId, isOnHub, joinedIds, joinedTap } from '../command-line/card-hub.ts';
import { executeAll } from './execute-all.ts';
import { attachedDevices } from './hotplug.ts';
import { ANY_ANSWER, type QmpClient } from './qmp.ts';

type Monitor = Pick<QmpClient, 'execute'>;

/** The cards of the VM, in their order. */
export async function fixedCards(monitor: Monitor): Promise<FixedCard[]> {
  const devices = new Set(await attachedDevices(monitor));
  const cards: FixedCard[] = [];
  for (let index = 0; devices.has(cardId(index)); index += 1) {
    const property = async (name: string): Promise<string> =>
      await monitor.execute(
        'qom-get',
        { path: `/machine/peripheral/${cardId(index)}`, property: name },
        z.string(),
      );
    cards.push({
      mac: (await property('mac')).toLowerCase(),
      redirectable: isOnHub(index, await property('netdev')),
    });
  }
  return cards;
}

/**
 * Leads a card to a tap device, in place of another one.
 *
 * @throws A3sError `conflict` where the VM has no such card, `vmm-failed`; the card leads nowhere
 * then
 */
export async function leadCard(
  monitor: Monitor,
  index: number,
  { mac, tap }: { readonly mac: string; readonly tap: number },
): Promise<void> {
  const card = (await fixedCards(monitor))[index];
  if (card === undefined || !card.redirectable || card.mac !== mac) {
    throw new A3sError(
      'conflict',
      `Cannot attach a network card: the microVM has none for ${mac}`,
      {
        remedy: 'Restart the box, which then has a card for each of its networks.',
      },
    );
  }
  await leadNowhere(monitor, index);
  const { tap: name } = joinedIds(index);
  try {
    await executeAll(monitor, [['getfd', { fdname: name }, tap], ...joinedTap(index, name)]);
  } catch (error) {
    await leadNowhere(monitor, index);
    throw error;
  }
}

/**
 * Has a card lead nowhere; nothing happens where it does already. A card without a hub leads
 * nowhere until the VM ends.
 */
export async function leadNowhere(monitor: Monitor, index: number): Promise<void> {
  const { tap, port } = joinedIds(index);
  for (const id of [port, tap]) {
    await monitor.execute('netdev_del', { id }, ANY_ANSWER).catch(() => undefined);
  }
}
