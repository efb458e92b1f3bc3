/**
 * The instructions of a Dockerfile that `import --change` takes, applied to an image's configuration.
 *
 * @module
 */
import { posix } from 'node:path';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { type HealthcheckConfig, parseHealthcheck } from './healthcheck.ts';
import { expandText, splitWords } from './word-lexer.ts';

const MAX_CHANGES = 256;
const MAX_CHANGE = 64 * 1024;
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
}

type Instruction = (text: string, state: State) => void;

const INSTRUCTIONS: Readonly<Record<string, Instruction>> = {
  CMD: (text, state) => {
    state.cmd = command(text);
    state.cmdWasSet = true;
  },
  ENTRYPOINT: (text, state) => {
    state.entrypoint = command(text);
  },
  ENV: (text, state) => assign(text, state, state.env),
  LABEL: (text, state) => assign(text, state, state.labels),
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
    if (['ONBUILD', 'FROM', 'MAINTAINER'].includes(trigger)) {
      throw bad('ONBUILD', text, `${trigger} cannot be a trigger`);
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
      if (path.trim() === '') throw bad('VOLUME', text, 'a path is empty');
      state.volumes.add(path);
    }
  },
  WORKDIR: (text, state) => {
    state.workingDir = posix.resolve(state.workingDir || '/', expandText(text, state.env));
  },
};

/** @throws A3sError `invalid-argument` for what cannot be read */
export function applyChanges(changes: readonly string[]): Partial<ProcessConfig> {
  if (changes.length > MAX_CHANGES) {
    throw new A3sError('invalid-argument', `Cannot apply more than ${MAX_CHANGES} changes`);
  }
  const state: State = {
    entrypoint: [],
    cmd: [],
    cmdWasSet: false,
    env: new Map(),
    labels: new Map(),
    ports: new Set(),
    named: 0,
    volumes: new Set(),
    onBuild: [],
    workingDir: '',
    user: '',
    stopSignal: '',
    healthcheck: undefined,
  };
  for (const change of changes) apply(change.trim(), state);
  return configOf(state);
}

function apply(change: string, state: State): void {
  if (change.length > MAX_CHANGE) {
    throw new A3sError('invalid-argument', `A change is longer than ${MAX_CHANGE} characters`);
  }
  if (/[\0\r\n]/.test(change)) throw bad('', change, 'a change is one line');
  const [, word = '', text = ''] = /^(\S+)\s*(.*)$/.exec(change) ?? [];
  const name = word.toUpperCase();
  const instruction = Object.hasOwn(INSTRUCTIONS, name) ? INSTRUCTIONS[name] : undefined;
  if (instruction === undefined) {
    throw new A3sError(
      'invalid-argument',
      `${JSON.stringify(word.slice(0, 64))} is not a valid change`,
      {
        remedy: `Changes are ${Object.keys(INSTRUCTIONS).join(', ')}.`,
      },
    );
  }
  if (text === '') throw bad(name, change, 'it says nothing');
  instruction(text, state);
}

function configOf(state: State): Partial<ProcessConfig> {
  const { entrypoint, cmd, cmdWasSet, env, labels, ports, volumes, onBuild } = state;
  return {
    ...(entrypoint.length > 0 && { Entrypoint: entrypoint }),
    ...(cmdWasSet && { Cmd: cmd }),
    ...(env.size > 0 && { Env: [...env].map(([name, value]) => `${name}=${value}`) }),
    ...(state.workingDir !== '' && { WorkingDir: state.workingDir }),
    ...(state.user !== '' && { User: state.user }),
    ...(labels.size > 0 && { Labels: Object.fromEntries(labels) }),
    ...(state.stopSignal !== '' && { StopSignal: state.stopSignal }),
    ...(state.healthcheck !== undefined && { Healthcheck: state.healthcheck }),
    ...(ports.size > 0 && { ExposedPorts: setOf(ports) }),
    ...(volumes.size > 0 && { Volumes: setOf(volumes) }),
    ...(onBuild.length > 0 && { OnBuild: onBuild }),
  };
}

/** As Go writes a set. */
function setOf(names: ReadonlySet<string>): Readonly<Record<string, object>> {
  return Object.fromEntries([...names].sort().map((name) => [name, {}]));
}

/** A list in JSON, or a line for the shell. */
function command(text: string): readonly string[] {
  return execForm(text) ?? ['/bin/sh', '-c', text];
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
function assign(text: string, state: State, into: Map<string, string>): void {
  const [first = '', ...others] = splitWords(text, state.env);
  if (!first.includes('=')) {
    const value = text.slice(/^\S+\s*/.exec(text)?.[0].length ?? 0);
    if (others.length === 0) throw bad('', text, 'write it as NAME=VALUE');
    into.set(first, expandText(value, state.env));
    return;
  }
  const pairs = [first, ...others].map((word): readonly [string, string] => {
    const end = word.indexOf('=');
    if (end <= 0) throw bad('', text, 'write each as NAME=VALUE');
    return [word.slice(0, end), word.slice(end + 1)];
  });
  // Every word of a line sees the variables as they were before the line.
  for (const [name, value] of pairs) into.set(name, value);
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
