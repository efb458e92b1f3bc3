/**
 * The commands of Docker's own client in the comparison of engines. They begin and end with an
 * empty engine.
 *
 * @module
 */
import { EXEC, INSPECT, LIST, LOGS, RUN } from './script/daily.ts';
import { FLAG_CHAPTER } from './script/flags.ts';
import { END, ERRORS, EVENTS, LIFE, NETWORK, REFUSED } from './script/life.ts';
import { NETWORKS } from './script/networks.ts';
import { IMAGES, SYSTEM } from './script/start.ts';
import type { Command } from './transcript.ts';

/** In this order: a chapter finds what those before it left. */
export const CHAPTERS: readonly (readonly [name: string, commands: readonly Command[]])[] = [
  ['an engine without anything', SYSTEM],
  ['images', IMAGES],
  ['flags of create', FLAG_CHAPTER],
  ['run', RUN],
  ['exec', EXEC],
  ['logs', LOGS],
  ['inspect', INSPECT],
  ['ps, top, stats and port', LIST],
  ['the life of a box', LIFE],
  ['published ports', NETWORK],
  ['events', EVENTS],
  ['errors', ERRORS],
  ['user-defined networks', NETWORKS],
  ['the end', END],
  ['what a microVM of its own refuses', REFUSED],
];
