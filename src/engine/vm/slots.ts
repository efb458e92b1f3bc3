/**
 * Where the disks and later devices of a microVM go: serials, slots, root ports.
 *
 * @module
 */

/**
 * Serials of the disks that every templated VM has from the start, in its slots. The guest has
 * mounted the writable layer when the template is saved, so a box that starts from the template
 * brings a copy of the template's writable layer. Layers beyond the slots, a writable layer that
 * has been used before, and shares are attached after the start.
 */
export const TEMPLATE_SLOTS = {
  changes: 'changes',
  layers: ['layer-0', 'layer-1', 'layer-2', 'layer-3', 'layer-4', 'layer-5', 'layer-6'],
} as const;

/**
 * Capacity for devices that have no slot: root ports, each of which takes that many disks or
 * shares, but not both.
 */
export const HOTPLUG_CAPACITY = { ports: 4, functions: 8 } as const;

/** Serials that a box's writable layer may have. The first one that a VM has is used. */
export const CHANGES_SERIALS = ['changes-kept', TEMPLATE_SLOTS.changes] as const;
