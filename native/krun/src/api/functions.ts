/**
 * libkrun's whole public C API, as data: what each function does, takes, returns and refuses, since
 * which release, and what becomes of its arguments.
 *
 * The facts are those of the header of release 1.19.0 and of its sources, and of one function of
 * the branch after it. `api.test.ts` compares this table with the lists in `facts/`, and with a
 * header where there is one.
 *
 * @module
 */
import { CONSOLE } from './console.ts';
import { DISKS } from './disks.ts';
import { DISPLAY } from './display.ts';
import { FILESYSTEMS } from './filesystems.ts';
import { LIFECYCLE } from './lifecycle.ts';
import { MACHINE } from './machine.ts';
import { NETWORK } from './network.ts';
import { VHOST_USER } from './vhost-user.ts';
import { WORKLOAD } from './workload.ts';

/** The release that the table describes. */
export const API_RELEASE = '1.19.0';

export const FUNCTIONS = {
  ...LIFECYCLE,
  ...MACHINE,
  ...DISKS,
  ...FILESYSTEMS,
  ...NETWORK,
  ...VHOST_USER,
  ...CONSOLE,
  ...WORKLOAD,
  ...DISPLAY,
} as const;

export type FunctionName = keyof typeof FUNCTIONS;
