/**
 * `GET /events`.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import type { ActorEvent } from '../../../boxes/services/events.ts';
import { EventMessage } from '../../../docker-api/system/system.ts';
import { stream } from '../../http/answer.ts';
import { documentsOf } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { type Filters, filters, matchesLabel } from '../filters.ts';
import { optionalTime, query } from '../query.ts';

/** Kinds of objects that do not exist here. Filters for them match nothing. */
const ABSENT = ['config', 'daemon', 'node', 'plugin', 'secret', 'service'] as const;
const FILTERS = [
  ...(['container', 'event', 'image', 'label', 'network', 'scope', 'type', 'volume'] as const),
  ...ABSENT,
] as const;
type Wanted = Filters<(typeof FILTERS)[number]>;

export const EVENT_ROUTES: readonly Route<Pick<Runtime, 'events'>>[] = [
  route('GET', '/events', {
    access: 'owner',
    summary: 'Stream events, beginning with recent ones',
    answers: { 200: documentsOf(EventMessage) },
    query: query({ since: optionalTime, until: optionalTime, filters: filters(FILTERS) }),
    body: z.unknown(),
    handler: ({ query, signal }, { events }) => {
      const { since, until } = query;
      const found = events.follow({ since, until }, signal);
      return stream(eventLines(found, query.filters), 'application/json');
    },
  }),
];

async function* eventLines(
  events: AsyncIterable<ActorEvent>,
  wanted: Wanted,
): AsyncGenerator<Uint8Array> {
  for await (const event of events) {
    if (matches(event, wanted)) yield Buffer.from(`${JSON.stringify(message(event))}\n`);
  }
}

function matches(event: ActorEvent, wanted: Wanted): boolean {
  const { container, event: actions, image, label, network, type, scope, volume } = wanted;
  const action = event.action.split(':')[0] ?? '';
  const { attributes, id } = event;
  const isContainer = event.type === 'container';
  const any = (values: readonly string[] | undefined, test: (value: string) => boolean): boolean =>
    values === undefined || values.some(test);
  return (
    ABSENT.every((kind) => wanted[kind] === undefined) &&
    any(type, (value) => value === event.type) &&
    any(actions, (value) => value === action || value === event.action) &&
    any(scope, (value) => value === 'local') &&
    any(
      container,
      (value) => isContainer && (id.startsWith(value) || attributes['name'] === value),
    ) &&
    any(image, (value) => isImage(event, value)) &&
    any(volume, (value) => event.type === 'volume' && id === value) &&
    any(
      network,
      (value) => event.type === 'network' && (id.startsWith(value) || attributes['name'] === value),
    ) &&
    (label ?? []).every((value) => matchesLabel(attributes, value))
  );
}

/** Whether the event is about the image, or about a box of it; the name may lack its tag. */
function isImage({ type, id, attributes }: ActorEvent, wanted: string): boolean {
  if (type === 'image' && id === wanted) return true;
  const name = attributes[type === 'image' ? 'name' : 'image'];
  return name !== undefined && [name, name.replace(/:[^:/]*$/, '')].includes(wanted);
}

function message(event: ActorEvent): EventMessage {
  const { type, action, id, attributes, time } = event;
  return {
    status: action,
    id,
    ...(type === 'container' ? { from: attributes['image'] } : {}),
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Number(time / 1_000_000_000n),
    timeNano: Number(time),
  };
}
