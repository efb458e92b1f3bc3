/**
 * The key of a template: the digest of everything that decides its content.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { Engine } from '../engine/engine.ts';
import type { VmShape } from '../engine/vm/template.ts';
import { PROTOCOL } from '../guest/protocol.ts';
import { BLANK_DISK } from './blank-disk.ts';

/** Changes with the format of any file of a template. */
export const TEMPLATE_SCHEMA = 'a3s-box/template/v1';

export type Inputs = Readonly<Record<string, string>>;

/** The key of a template of this shape; undefined where the engine makes none. */
export async function keyOf(
  engine: Pick<Engine, 'templateInputs' | 'templateMemoryBytes'>,
  shape: VmShape,
): Promise<{ readonly key: string; readonly inputs: Inputs } | undefined> {
  const given = await engine.templateInputs(shape);
  if (given === undefined) return undefined;
  const inputs: Record<string, string> = {
    format: TEMPLATE_SCHEMA,
    cpus: String(shape.cpus),
    memory: String(engine.templateMemoryBytes),
    'kernel command line': shape.boot.commandLine.join(' '),
    'guest protocol': `${PROTOCOL.minimum}-${PROTOCOL.maximum}`,
    'disk of changes': BLANK_DISK,
  };
  for (const [name, value] of Object.entries(given)) inputs[`engine: ${name}`] = value;
  return { key: digestOf(inputs), inputs };
}

/** Sorted by name: equal inputs have one digest. */
export function digestOf(inputs: Inputs): string {
  const sorted = Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}
