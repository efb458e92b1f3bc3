/**
 * The instructions of a Dockerfile that `import --change` and `commit --change` take, applied to an
 * image's configuration.
 *
 * @module
 */
import { posix } from 'node:path';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { printable } from '../../oci/corrupt.ts';
import { changeLines } from './change-lines.ts';
import { type HealthcheckConfig, parseHealthcheck } from './healthcheck.ts';
import { expandText, splitWords } from './word-lexer.ts';

const MAX_PORTS = 65_536;

/** The `config` object of an image's configuration, of which only what was said is written. */
export interface ProcessConfig {
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Env: readonly string[];
  readonly WorkingDir: string;
  readonly User: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly StopSignal: string;
  readonly ExposedPorts: Readonly<Record<string, object>>;
  readonly Volumes: Readonly<Record<string, object>>;
  readonly OnBuild: readonly string[];
  readonly Healthcheck: HealthcheckConfig;
  /** Docker's own: the shell that runs commands in the form of one line. */
  readonly Shell: readonly string[];
}

interface State {
  entrypoint: readonly string[];
  cmd: readonly string[];
  cmdWasSet: boolean;
  readonly env: Map<string, string>;
  readonly labels: Map<string, string>;
  readonly ports: Set<string>;
  /** How many ports were named, however often. */
  named: number;
  readonly volumes: Set<string>;
  readonly onBuild: string[];
  workingDir: string;
  user: string;
  stopSignal: string;
  healthcheck: HealthcheckConfig | undefined;
  readonly shell: readonly string[];
}

type Instruction = (text: string, state: State) => void;

const INSTRUCTIONS: Readonly<Record<string, Instruction>> = {
  CMD: (text, state) => {
    state.cmd = command(text, state);
    state.cmdWasSet = true;
  },
  ENTRYPOINT: (text, state) => {
    state.entrypoint = command(text, state);
    // As in Docker: the arguments were of the entrypoint before.
    if (!state.cmdWasSet) state.cmd = [];
  },
  ENV: (text, state) => assign('ENV', text, state),
  LABEL: (text, state) => assign('LABEL', text, state),
  EXPOSE: (text, state) => {
    for (const word of splitWords(text, state.env)) {
      const ports = portsOf(word);
      state.named += ports.length;
      if (state.named > MAX_PORTS) throw bad('EXPOSE', text, 'it names too many ports');
      for (const port of ports) state.ports.add(port);
    }
  },
  HEALTHCHECK: (text, state) => {
    try {
      state.healthcheck = parseHealthcheck(text, execForm);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw bad('HEALTHCHECK', text, error.message);
    }
  },
  ONBUILD: (text, state) => {
    const trigger = /^\S*/.exec(text)?.[0].toUpperCase() ?? '';
    if (trigger === 'ONBUILD') {
      throw bad('ONBUILD', text, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    }
    if (trigger === 'FROM' || trigger === 'MAINTAINER') {
      throw bad('ONBUILD', text, `${trigger} isn't allowed as an ONBUILD trigger`);
    }
    state.onBuild.push(text);
  },
  STOPSIGNAL: (text, state) => {
    const signal = expandText(text, state.env);
    if (!/^(?:(?:SIG)?[A-Z][A-Z0-9+-]{1,15}|[1-9][0-9]?)$/.test(signal)) {
      throw bad('STOPSIGNAL', text, 'it is no signal');
    }
    state.stopSignal = signal;
  },
  USER: (text, state) => {
    state.user = expandText(text, state.env);
  },
  VOLUME: (text, state) => {
    const paths = execForm(text) ?? splitWords(text, state.env);
    for (const path of paths) {
      if (path.trim() === '') {
        throw bad('VOLUME', text, 'VOLUME specified can not be an empty string');
      }
      state.volumes.add(path);
    }
  },
  WORKDIR: (text, state) => {
    state.workingDir = posix.resolve(state.workingDir || '/', expandText(text, state.env));
  },
};

/**
 * @param base the configuration that the changes begin from; its `ENV` is known to them
 * @throws A3sError `invalid-argument` for what cannot be read
 */
export function applyChanges(
  changes: readonly string[],
  base: Partial<ProcessConfig> = {},
): Partial<ProcessConfig> {
  const state: State = {
    entrypoint: base.Entrypoint ?? [],
    cmd: base.Cmd ?? [],
    cmdWasSet: false,
    env: new Map((base.Env ?? []).flatMap(assignment)),
    labels: new Map(Object.entries(base.Labels ?? {})),
    ports: new Set(Object.keys(base.ExposedPorts ?? {})),
    named: 0,
    volumes: new Set(Object.keys(base.Volumes ?? {})),
    onBuild: [...(base.OnBuild ?? [])],
    workingDir: base.WorkingDir ?? '',
    user: base.User ?? '',
    stopSignal: base.StopSignal ?? '',
    healthcheck: base.Healthcheck,
    shell: base.Shell ?? [],
  };
  for (const change of changeLines(changes)) apply(change, state);
  return configOf(state);
}

/** An entry without `=` is of a variable that a box does not have. */
function assignment(entry: string): readonly (readonly [string, string])[] {
  const end = entry.indexOf('=');
  return end <= 0 ? [] : [[entry.slice(0, end), entry.slice(end + 1)]];
}

function apply(change: string, state: State): void {
  if (change.includes('\0')) throw bad('', change, 'it has a NUL');
  const [, word = '', text = ''] = /^(\S+)\s*(.*)$/s.exec(change) ?? [];
  const name = word.toUpperCase();
  const instruction = Object.hasOwn(INSTRUCTIONS, name) ? INSTRUCTIONS[name] : undefined;
  if (instruction === undefined) {
    const shown = /^\w+$/.test(word) ? word.slice(0, 64) : printable(word);
    throw new A3sError('invalid-argument', `${shown} is not a valid change command`, {
      remedy: `Changes are ${Object.keys(INSTRUCTIONS).join(', ')}.`,
    });
  }
  if (text === '') throw bad(name, change, `${name} requires at least one argument`);
  instruction(text, state);
}

function configOf(state: State): Partial<ProcessConfig> {
  const { entrypoint, cmd, cmdWasSet, env, labels, ports, volumes, onBuild, shell } = state;
  return {
    ...(entrypoint.length > 0 && { Entrypoint: entrypoint }),
    ...((cmdWasSet || cmd.length > 0) && { Cmd: cmd }),
    ...(env.size > 0 && { Env: [...env].map(([name, value]) => `${name}=${value}`) }),
    ...(state.workingDir !== '' && { WorkingDir: state.workingDir }),
    ...(state.user !== '' && { User: state.user }),
    ...(labels.size > 0 && { Labels: Object.fromEntries(labels) }),
    ...(state.stopSignal !== '' && { StopSignal: state.stopSignal }),
    ...(state.healthcheck !== undefined && { Healthcheck: state.healthcheck }),
    ...(ports.size > 0 && { ExposedPorts: setOf(ports) }),
    ...(volumes.size > 0 && { Volumes: setOf(volumes) }),
    ...(onBuild.length > 0 && { OnBuild: onBuild }),
    ...(shell.length > 0 && { Shell: shell }),
  };
}

/** As Go writes a set. */
function setOf(names: ReadonlySet<string>): Readonly<Record<string, object>> {
  return Object.fromEntries([...names].sort().map((name) => [name, {}]));
}

/** A list in JSON, or a line for the shell. */
function command(text: string, { shell }: State): readonly string[] {
  return execForm(text) ?? [...(shell.length > 0 ? shell : ['/bin/sh', '-c']), text];
}

function execForm(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const parsed = z.array(z.string()).safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Docker reads a value that is not JSON as a line for the shell.
    return undefined;
  }
}

/** `NAME=VALUE …`, or the old form `NAME VALUE`. */
function assign(name: 'ENV' | 'LABEL', text: string, state: State): void {
  const into = name === 'ENV' ? state.env : state.labels;
  const [first = '', ...others] = splitWords(text, state.env);
  if (!first.includes('=')) {
    const value = text.slice(/^\S+\s*/.exec(text)?.[0].length ?? 0);
    if (others.length === 0) throw bad(name, text, `${name} must have two arguments`);
    into.set(first, expandText(value, state.env));
    return;
  }
  const pairs = [first, ...others].map((word): readonly [string, string] => {
    const end = word.indexOf('=');
    if (end === 0) throw bad(name, text, `${name} names can not be blank`);
    if (end < 0) {
      const reason = `Syntax error - can't find = in ${JSON.stringify(word.slice(0, 64))}`;
      throw bad(name, text, `${reason}. Must be of the form: name=value`);
    }
    return [word.slice(0, end), word.slice(end + 1)];
  });
  // Every word of a line sees the variables as they were before the line.
  for (const [key, value] of pairs) into.set(key, value);
}

/** `80`, `80/udp`, `8000-8010/tcp`. */
function portsOf(word: string): string[] {
  const [, from = '', to = from, protocol = 'tcp'] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word) ?? [];
  const [low, high] = [Number(from), Number(to)];
  if (from === '' || low < 1 || high > 65_535 || low > high) {
    throw bad(
      'EXPOSE',
      word,
      'a port is a number or a range up to 65535, and may end in /tcp or /udp',
    );
  }
  return Array.from({ length: high - low + 1 }, (_, n) => `${low + n}/${protocol.toLowerCase()}`);
}

function bad(name: string, text: string, reason: string): A3sError {
  const quoted = JSON.stringify(`${name} ${text}`.trim().slice(0, 200));
  return new A3sError('invalid-argument', `Cannot apply the change ${quoted}: ${reason}`);
}
