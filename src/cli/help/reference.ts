/**
 * Makes `docs/cli.md` from the tree of commands.
 *
 * @module
 */
import type { Option, Command as Parser } from 'commander';
import { COMMANDS, GROUPS } from '../command-table/command-table.ts';
import { commandTree } from '../command-tree.ts';

/** The command that makes the file again. */
export const REGENERATE = 'npm run docs';

const PREAMBLE = `# The command line

All commands, flags and defaults, generated from the program by \`${REGENERATE}\`; a test fails where this
page is out of date.

Flags are written as Docker's: \`--memory 64m\`, \`--memory=64m\`, \`-m 64m\`, \`-it\`, \`--rm=false\`. \`--\`
ends them. A flag that takes a list may be given more than once. Flags of Docker that A3S Box does
not support are refused by name, with the reason, before anything changes.

| exit status | means |
|---|---|
| 0 | success |
| 1 | the server refused, or something failed; of several boxes or images, at least one |
| 125 | a flag cannot be used; for \`run\`, also: the box could not be created or started |
| 126, 127 | for \`run\`: the box's program cannot be executed, or was not found |
| 126 | for \`exec\` and \`shell\`: the program could not be started, or its user or directory was not found |
| 128 + *n* | signal *n* ended the command; 130 is Ctrl-C |
| any | for \`run\`, \`exec\`, \`shell\`, \`attach\` and \`start --attach\`: that of the program in the box |
| 0, 1, 2 | for \`attest\`, \`policy\`, \`image verify\` and \`trust\`: accepted, refused, undecided |

Call the program itself: \`a3s-box\` where it is installed, \`./a3s-box\` in a checkout. Node reads
\`--env-file\` anywhere in its own command line, and runs the NODE_OPTIONS of that file on this host.
So \`--env-file\` is refused through \`node dist/a3s-box.cjs\` and \`npx a3s-box\`, but Node has read the
file by then. \`npm exec a3s-box\` without \`--\` drops the flag, and nothing can tell.

\`a3s-box completion\` prints completion scripts for bash, zsh and fish.
`;

/** Loads every command. */
export async function cliReference(): Promise<string> {
  const root = await commandTree(COMMANDS, GROUPS);
  const alone = root.commands.filter((command) => command.commands.length === 0);
  const groups = root.commands.filter((command) => command.commands.length > 0);
  const known = new Map(alone.map((command) => [contentOf(command), command.name()]));
  return [
    PREAMBLE,
    '## Before the command\n',
    flagTable(root),
    refusals(root),
    ...sorted(alone).map((command) => section('##', command.name(), command)),
    ...sorted(groups).map((group) => groupSection(group, known)),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** A group: commands that also exist at the top level are links, the rest follows. */
function groupSection(group: Parser, known: ReadonlyMap<string, string>): string {
  const rows = group.commands.map((verb) => {
    const same = known.get(contentOf(verb));
    const names = [verb.name(), ...verb.aliases()].map((name) => `\`${name}\``).join(' ');
    const link = `[\`${same ?? `${group.name()} ${verb.name()}`}\`](#${anchor(same ?? `${group.name()} ${verb.name()}`)})`;
    return `| ${names} | ${cell(verb.summary())} | ${link} |\n`;
  });
  const own = group.commands.filter((verb) => !known.has(contentOf(verb)));
  return [
    `## ${group.name()}\n`,
    `${group.summary()}: \`a3s-box ${group.name()} COMMAND\`\n`,
    `| command | does | see |\n|---|---|---|\n${rows.join('')}`,
    ...own.map((verb) => section('###', `${group.name()} ${verb.name()}`, verb)),
  ].join('\n');
}

function section(level: string, path: string, command: Parser): string {
  return [
    `${level} ${path}\n`,
    `${paragraph(command.description())}\n`,
    `\`\`\`text\na3s-box ${path} ${command.usage()}`.trimEnd(),
    '```\n',
    ...[flagTable(command), refusals(command)].filter((part) => part !== ''),
  ].join('\n');
}

function flagTable(command: Parser): string {
  const shown = command.options.filter(({ hidden, long }) => !hidden && long !== '--help');
  if (shown.length === 0) return '';
  const rows = shown.map((option) => `| ${flagName(option)} | ${cell(helpOf(option))} |\n`);
  return `| flag | |\n|---|---|\n${rows.join('')}`;
}

function flagName(option: Option): string {
  const value = /<(.+)>$/.exec(option.flags)?.[1];
  const long = `\`${option.long}${value === undefined ? '' : ` ${value}`}\``;
  return option.short === undefined ? long : `\`${option.short}\` ${long}`;
}

function helpOf({ description, defaultValue }: Option): string {
  return defaultValue === true ? `${description} (default true)` : description;
}

/** Docker's flags that are refused, by reason. */
function refusals(command: Parser): string {
  const byReason = new Map<string, string[]>();
  for (const { hidden, long, description } of command.options) {
    if (!hidden) continue;
    byReason.set(description, [...(byReason.get(description) ?? []), `\`${long}\``]);
  }
  if (byReason.size === 0) return '';
  const rows = [...byReason].map(([reason, flags]) => `| ${flags.join(' ')} | ${cell(reason)} |\n`);
  return `| refused | since |\n|---|---|\n${rows.join('')}`;
}

/** The same for a command under two names. */
function contentOf(command: Parser): string {
  const options = command.options.map(({ flags, description }) => [flags, description]);
  return JSON.stringify([command.description(), command.usage(), options]);
}

function sorted(commands: readonly Parser[]): readonly Parser[] {
  return [...commands].sort((a, b) => (a.name() < b.name() ? -1 : 1));
}

function anchor(heading: string): string {
  return heading.replaceAll(' ', '-');
}

/** Its lines stay lines. */
function paragraph(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('\n', '\\\n');
}

/** Text in a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
