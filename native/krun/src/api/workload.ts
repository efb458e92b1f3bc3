/**
 * libkrun's functions for the program that its own init starts.
 *
 * @module
 */
import {
  type ApiFunction,
  context,
  NO_CONTEXT,
  NOT_UTF8,
  optionalTexts,
  text,
  texts,
} from './describe.ts';

export const WORKLOAD = {
  krun_set_exec: {
    since: '0.1.1',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the program',
    // NULL as `envp` is the environment of this process.
    arguments: [context, text('exec_path'), optionalTexts('argv'), optionalTexts('envp')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'replaces',
  },
  krun_set_env: {
    since: '1.3.0',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the environment',
    arguments: [context, optionalTexts('envp')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'replaces',
  },
  krun_set_workdir: {
    since: '0.1.3',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set the working directory',
    arguments: [context, text('workdir_path')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'replaces',
  },
  krun_set_rlimits: {
    since: '0.1.5',
    returns: 'int32_t',
    result: 'nothing',
    does: 'set resource limits',
    arguments: [context, texts('rlimits')],
    errors: { EINVAL: NOT_UTF8, ENOENT: NO_CONTEXT },
    again: 'replaces',
  },
} as const satisfies Record<string, ApiFunction>;
