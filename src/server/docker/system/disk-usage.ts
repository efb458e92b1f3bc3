/**
 * `docker system df`: what images, boxes, volumes and the cache of the builder that runs take on
 * disk.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import { DiskUsage } from '../../../docker-api/system/system.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { type ListHost, listBoxes } from '../containers/inspect/list.ts';
import { imageSummary } from '../images/image-summary.ts';
import { noBody, query } from '../query.ts';
import { describeUsage } from '../volumes/volumes.ts';
import type { BuilderHost } from './builder-host.ts';

const access = 'owner';

const OBJECTS = ['container', 'image', 'volume', 'build-cache'] as const;
const object = z.enum(OBJECTS);

export const DISK_USAGE_ROUTES: readonly Route<ListHost & BuilderHost>[] = [
  route('GET', '/system/df', {
    access,
    summary: 'Get the disk usage of images, boxes, volumes and the build cache',
    answers: { 200: DiskUsage },
    query: query({
      type: z
        .union([object, z.array(object)])
        .default([...OBJECTS])
        .transform((value) => new Set([value].flat())),
    }),
    body: noBody,
    handler: async ({ query: { type }, apiVersion, signal }, rt) => {
      return json({
        ...(type.has('image') && (await images(rt, apiVersion))),
        ...(type.has('container') && { Containers: await boxes(rt) }),
        ...(type.has('volume') && { Volumes: await volumes(rt) }),
        ...(type.has('build-cache') && {
          BuildCache: await rt.builds.caches(signal),
          BuilderSize: 0 as const,
        }),
      });
    },
  }),
];

async function images(rt: Pick<Runtime, 'images' | 'store'>, apiVersion: number) {
  const usage = await rt.images.usage();
  const listed = (await rt.images.list()).flatMap((image) => {
    const share = usage.images.get(image.id);
    if (share === undefined) return [];
    const { size, shared } = share;
    return [imageSummary(rt, image, { apiVersion, size, shared })];
  });
  return { LayersSize: usage.total, Images: listed };
}

async function volumes(rt: Pick<Runtime, 'volumes'>) {
  const described = [];
  for (const volume of rt.volumes.list()) described.push(await describeUsage(rt, volume));
  return described;
}

async function boxes(rt: ListHost) {
  const all = { all: true, limit: undefined, size: true, filters: {} };
  return await listBoxes(rt, all, Date.now());
}
