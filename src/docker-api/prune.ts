/**
 * What prunes removed.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from './document.ts';
import { Removed } from './images/image.ts';

export const ContainersPruned = z.strictObject({
  ContainersDeleted: z.array(z.string()),
  SpaceReclaimed: z.int(),
});
export type ContainersPruned = Document<typeof ContainersPruned>;

export const ImagesPruned = z.strictObject({
  ImagesDeleted: z.array(Removed),
  SpaceReclaimed: z.int(),
});
export const CachesPruned = z.strictObject({
  CachesDeleted: z.array(z.string()),
  SpaceReclaimed: z.int(),
});

export type ImagesPruned = Document<typeof ImagesPruned>;
