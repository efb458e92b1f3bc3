/**
 * The backends of a card that a confidential VM has from its launch to its end. The card is on a
 * hub of its own, which a tap device is joined to and taken from: the guest notices nothing of it,
 * and no device is plugged into it.
 *
 * @module
 */
import type { Command } from './devices.ts';

export function cardId(index: number): string {
  return `nic${index}`;
}

/** The card's own side. */
function hubId(index: number): string {
  return `hub${index}`;
}

/** The tap device, and what joins it to the hub. */
export function joinedIds(index: number): { readonly tap: string; readonly port: string } {
  return { tap: `net${index}`, port: `uplink${index}` };
}

/** Whether a card with this backend is on a hub. */
export function isOnHub(index: number, netdev: string): boolean {
  return netdev === hubId(index);
}

/**
 * A hub keeps a frame that has no port to go to, and the guest would log forever that its card does
 * not send. So the hub has one port more, behind which there is nothing.
 */
export function cardHub(index: number): {
  readonly netdev: string;
  readonly commands: readonly Command[];
} {
  const netdev = hubId(index);
  return {
    netdev,
    commands: [
      ['netdev_add', { type: 'hubport', id: netdev, hubid: index }],
      ['netdev_add', { type: 'hubport', id: `sink${index}`, hubid: index }],
    ],
  };
}

/** @param fd number or name of the descriptor, as QEMU knows it */
export function joinedTap(index: number, fd: string): readonly Command[] {
  const { tap, port } = joinedIds(index);
  return [
    ['netdev_add', { type: 'tap', id: tap, fd }],
    ['netdev_add', { type: 'hubport', id: port, hubid: index, netdev: tap }],
  ];
}
