/**
 * The events of boxes.
 *
 * @module
 */
import type { Box } from '../record/box.ts';
import type { Services } from './services.ts';

/** Publishes an event of a box. */
export function publish(
  rt: Pick<Services, 'events'>,
  box: Box,
  action: string,
  more: Readonly<Record<string, string>> = {},
): void {
  const { definition, name } = box;
  const attributes = { ...definition.labels, image: definition.image.reference, name, ...more };
  rt.events.publish('container', action, definition.id, attributes);
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
