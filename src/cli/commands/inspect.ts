import { A3sError } from '../../errors.ts';
import { type Client, segment } from '../client/client.ts';
import type { Command, Invocation } from '../command.ts';
import { refused, string } from '../flags/flag.ts';
import { forTerminals } from '../output/json-text.ts';
import { Template } from '../output/template.ts';
import { printFailure } from '../print-failure.ts';
import { UsageError } from '../usage-error.ts';
import { DOCUMENT_FORMAT_HELP } from './format-help.ts';

type Kind = 'container' | 'image';

const FLAGS = [string('format', DOCUMENT_FORMAT_HELP, { short: 'f' })];
const SIZE = refused('size', 'the size of a box is not measured', 'bool', 's');

/** Boxes first, then images. */
export const inspect: Command = {
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  description: 'Return low-level information on boxes and images',
  flags: [...FLAGS, SIZE, string('type', 'Return JSON for specified type: container or image')],
  operands: { min: 1, max: Infinity },
  run: (invocation) => inspectAll(invocation, kindsOf(invocation.flags.string('type'))),
};

export const inspectContainer: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  description: 'Display detailed information on one or more boxes',
  flags: [...FLAGS, SIZE],
  operands: { min: 1, max: Infinity },
  run: (invocation) => inspectAll(invocation, ['container']),
};

export const inspectImage: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  description: 'Display detailed information on one or more images',
  flags: FLAGS,
  operands: { min: 1, max: Infinity },
  run: (invocation) => inspectAll(invocation, ['image']),
};

function kindsOf(type: string | undefined): readonly Kind[] {
  if (type === undefined || type === '') return ['container', 'image'];
  if (type === 'container' || type === 'box') return ['container'];
  if (type === 'image') return ['image'];
  throw new UsageError(`"${type}" is not a valid value for --type`, {
    status: 1,
    remedy: 'It is container or image.',
  });
}

async function inspectAll(invocation: Invocation, kinds: readonly Kind[]): Promise<number> {
  const { context, flags, operands } = invocation;
  const format = flags.string('format') ?? '';
  const template = format === '' || format === 'json' ? undefined : new Template(format);
  const client = await context.connect();
  const found: unknown[] = [];
  const failures: unknown[] = [];
  for (const name of operands) {
    try {
      found.push(await find(client, kinds, name));
    } catch (error) {
      failures.push(error);
    }
  }
  if (template !== undefined) {
    for (const item of found) context.stdout.write(`${template.evaluate(item)}\n`);
  } else {
    const json = JSON.stringify(found, null, format === 'json' ? 0 : 4);
    context.stdout.write(`${forTerminals(json)}\n`);
  }
  for (const failure of failures) printFailure(context, failure);
  return failures.length > 0 ? 1 : 0;
}

async function find(client: Client, kinds: readonly Kind[], name: string): Promise<unknown> {
  for (const kind of kinds) {
    try {
      return await client.json({ method: 'GET', path: `/${kind}s/${segment(name)}/json` });
    } catch (error) {
      const missing =
        error instanceof A3sError &&
        (error.code === 'no-such-box' || error.code === 'no-such-image');
      // What is no box may still be an image, and a name of neither may be malformed for one of them.
      if (!missing || kinds.length === 1) throw error;
    }
  }
  throw new A3sError('no-such-box', `No such box or image: ${name}`, {
    remedy: 'See a3s-box ps -a and a3s-box images.',
  });
}
