/**
 * An event as Docker's clients show it.
 *
 * @module
 */
import type { EventMessage } from '../../docker-api/system/system.ts';
import { printable } from '../client/failure.ts';
import { type JsonObject, numberOf, objectOf, type Received, stringOf } from '../client/json.ts';
import { Template } from './go-template/template.ts';

type Event = Received<EventMessage>;

/** One line, without its end. */
export type EventText = (event: Event) => string;

/** @throws UsageError for a template that cannot be parsed */
export function prepareEventText(format: string | undefined): EventText {
  if (format === undefined || format === '') return line;
  if (format === 'json' || /^\{\{\s*json\s+\.\s*\}\}$/.test(format)) return json;
  const template = new Template(format);
  return (event) => printable(template.evaluate(fieldsOf(event)));
}

function line(event: Event): string {
  const { ID, Attributes } = objectOf(event.Actor);
  const attributes = sorted(Attributes).map(([name, value]) => `${name}=${stringOf(value)}`);
  const words = [
    localTime(numberOf(event.timeNano)),
    ...[event.Type, event.Action, ID].map(stringOf),
    ...(attributes.length === 0 ? [] : [`(${attributes.join(', ')})`]),
  ];
  return printable(words.join(' ')).replaceAll('\n', ' ');
}

function json(event: Event): string {
  const { ID, Attributes } = objectOf(event.Actor);
  return JSON.stringify({
    ...event,
    Actor: { ID, Attributes: Object.fromEntries(sorted(Attributes)) },
  });
}

function sorted(attributes: unknown): readonly (readonly [string, unknown])[] {
  return Object.entries(objectOf(attributes)).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** RFC 3339, with nine digits of the second, where this process is. */
function localTime(nanoseconds: number): string {
  // The digits of a number are those that came; as an integer it would have others.
  const digits = String(nanoseconds).padStart(10, '0');
  const date = new Date(Number(digits.slice(0, -9)) * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day}T${clock}.${digits.slice(-9)}${zoneOf(date)}`;
}

function zoneOf(date: Date): string {
  const offset = -date.getTimezoneOffset();
  if (offset === 0) return 'Z';
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.abs(offset);
  return `${offset < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
}

/** By the names that templates of Docker's use. */
function fieldsOf(event: Event): JsonObject {
  return {
    Status: stringOf(event.status),
    ID: stringOf(event.id),
    From: stringOf(event.from),
    Type: stringOf(event.Type),
    Action: stringOf(event.Action),
    Actor: objectOf(event.Actor),
    Scope: stringOf(event.scope),
    Time: numberOf(event.time),
    TimeNano: numberOf(event.timeNano),
  };
}
