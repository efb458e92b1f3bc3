/**
 * Inspects several names: the documents that exist are printed together, and the missing ones are
 * reported afterwards.
 *
 * @module
 */
import { type Client, segment } from '../client/client.ts';
import type { Command, Invocation } from '../command.ts';
import { string } from '../flags/flag.ts';
import { Template } from '../output/go-template/template.ts';
import { forTerminals } from '../output/json-text.ts';
import { printFailure } from '../print-failure.ts';
import { printWarnings, warningsOf } from '../requests/confidential-warnings.ts';
import { DOCUMENT_FORMAT_HELP } from './format-help.ts';

export const INSPECT_FORMAT = string('format', DOCUMENT_FORMAT_HELP, { short: 'f' });

/**
 * @param find the document of one name
 * @returns the exit status
 */
export async function inspectEach(
  invocation: Invocation,
  find: (client: Client, name: string) => Promise<unknown>,
): Promise<number> {
  return showEach(invocation, async () => {
    const client = await invocation.context.connect();
    return (name) => find(client, name);
  });
}

/**
 * The same without the server.
 *
 * @param prepare returns the function that finds the document of one name; not called where the
 * format cannot be used
 */
export async function showEach(
  { context, flags, operands }: Invocation,
  prepare: () => Promise<(name: string) => Promise<unknown>>,
): Promise<number> {
  const format = flags.string('format') ?? '';
  const template = format === '' || format === 'json' ? undefined : new Template(format);
  const find = await prepare();
  const found: unknown[] = [];
  const failures: unknown[] = [];
  for (const name of operands) {
    try {
      found.push(await find(name));
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
  for (const warnings of found.map(warningsOf)) printWarnings(context, warnings);
  for (const failure of failures) printFailure(context, failure);
  return failures.length > 0 ? 1 : 0;
}

/**
 * The command that shows the documents of one kind.
 *
 * @param path of all of them: a name's document lies below it
 * @param noun what its usage calls one
 */
export function inspectBelow(path: string, noun: string): Command {
  return {
    usage: `[OPTIONS] ${noun} [${noun}...]`,
    flags: [INSPECT_FORMAT],
    operands: { min: 1, max: Infinity },
    run: (invocation) =>
      inspectEach(invocation, (client, name) =>
        client.json({ method: 'GET', path: `${path}/${segment(name)}` }),
      ),
  };
}
