/**
 * Attestations of dstack, encoded as its two versions are.
 *
 * @module
 */

/** What an attestation says; all of it may be another. */
export interface DstackParts {
  readonly version: number;
  /** Number of the platform's variant. */
  readonly variant: number;
  readonly report: Uint8Array;
  readonly chain: readonly Uint8Array[];
  readonly mrConfig: string;
  readonly events: readonly (readonly [name: string, payload: Uint8Array])[];
  readonly reportData: Uint8Array;
  readonly config: string;
}

const text = (of: string) => new TextEncoder().encode(of);

export function compact(value: number): number[] {
  if (value < 1 << 6) return [value << 2];
  if (value < 1 << 14) return [((value << 2) & 0xff) | 1, value >> 6];
  const whole = value * 4 + 2;
  return [0, 8, 16, 24].map((shift) => (whole / 2 ** shift) & 0xff);
}

const vector = (bytes: Uint8Array) => [...compact(bytes.length), ...bytes];

/** Version 0, in SCALE. */
export function scaleAttestation(parts: DstackParts): Uint8Array {
  return Uint8Array.from([
    parts.version,
    parts.variant,
    ...vector(parts.report),
    ...compact(parts.chain.length),
    ...parts.chain.flatMap(vector),
    ...vector(text(parts.mrConfig)),
    ...compact(parts.events.length),
    ...parts.events.flatMap(([name, payload]) => [...vector(text(name)), ...vector(payload)]),
    ...parts.reportData,
    ...vector(text(parts.config)),
  ]);
}

/** MessagePack, with the shortest form of everything but lengths, which have two bytes. */
export function msgpack(value: unknown): number[] {
  if (value === null) return [0xc0];
  if (typeof value === 'boolean') return [value ? 0xc3 : 0xc2];
  if (typeof value === 'number') return value < 0x80 ? [value] : [0xcc, value];
  if (typeof value === 'string') return [0xda, ...size(text(value).length), ...text(value)];
  if (value instanceof Uint8Array) return [0xc5, ...size(value.length), ...value];
  if (Array.isArray(value)) return [0xdc, ...size(value.length), ...value.flatMap(msgpack)];
  const entries = Object.entries(Object(value));
  const members = entries.flatMap(([name, member]) => [...msgpack(name), ...msgpack(member)]);
  return [0xde, ...size(entries.length), ...members];
}

function size(length: number): number[] {
  return [length >> 8, length & 0xff];
}
