/**
 * The events of boxes.
 *
 * @module
 */
import { GuestRefusal } from '../../guest/refusal.ts';
import type { Box } from '../record/box.ts';
import { SpecRefusal } from '../record/spec-refusal.ts';
import { teeAttributes } from '../record/tee-names.ts';
import type { Services } from './services.ts';

/** Publishes an event of a box. */
export function publish(
  rt: Pick<Services, 'events'>,
  box: Pick<Box, 'definition' | 'name'>,
  action: string,
  more: Readonly<Record<string, string>> = {},
): void {
  const { definition, name } = box;
  const attributes = { ...definition.labels, image: definition.image.reference, name, ...more };
  rt.events.publish('container', action, definition.id, attributes);
}

/**
 * Publishes that the launch spec of a confidential box does not permit what a client asked for, and
 * which rule of it decided. Other errors are no such event.
 */
export function publishRefusal(rt: Pick<Services, 'events'>, error: unknown): void {
  if (!(error instanceof SpecRefusal)) return;
  const { box, code, decided } = error;
  const needs = decided.needs.length === 0 ? {} : { needs: decided.needs.join(' or ') };
  const why = { error: code, rule: decided.rule, ...needs, reason: error.message };
  publish(rt, box, 'spec-refused', { ...teeAttributes(box), ...why });
}

/**
 * Publishes that the guest of a confidential box refuses to become the box, and which field of the
 * launch spec decided. Errors by no field are no such event.
 */
export function publishGuestRefusal(
  rt: Pick<Services, 'events'>,
  box: Pick<Box, 'definition' | 'name'>,
  error: unknown,
): void {
  if (!(error instanceof GuestRefusal) || error.rule === undefined) return;
  const why = { error: error.code, rule: error.rule, reason: error.message };
  publish(rt, box, 'spec-refused', { ...teeAttributes(box), ...why });
}

/** Publishes that a box begins, or ends, to have its volumes. */
export function publishVolumes(
  { events }: Pick<Services, 'events'>,
  { definition: { id, volumeMounts } }: Box,
  action: 'mount' | 'unmount',
): void {
  for (const { name, destination, readonly } of volumeMounts) {
    const attributes = { container: id, driver: 'local' };
    const place = { destination, propagation: '', 'read/write': String(!readonly) };
    events.publish('volume', action, name, {
      ...attributes,
      ...(action === 'mount' ? place : {}),
    });
  }
}
