/**
 * The routes of images.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import { removeImage } from '../../../boxes/verbs/remove-image.ts';
import { ImageInspect, ImageSummary, Removed } from '../../../docker-api/images/image.ts';
import { ProgressLine } from '../../../docker-api/images/progress.ts';
import type { Image } from '../../../images/image.ts';
import { json, stream } from '../../http/answer.ts';
import { failureOf } from '../../http/failure.ts';
import { documentsOf } from '../../http/replies.ts';
import { type Route, route, streamRoute } from '../../http/route.ts';
import { type Filters, filters, matchesGlob, matchesLabel } from '../filters.ts';
import { flag, noBody, query } from '../query.ts';
import { imageManifests } from './image-manifests.ts';
import { imageSummary, parentOf, sizeFields } from './image-summary.ts';
import { failureLine, ProgressLines } from './progress-lines.ts';
import { dropUpload } from './refused-upload.ts';

const access = 'owner';

type ImagesHost = Pick<Runtime, 'store' | 'pods' | 'images' | 'events' | 'log'>;

export const IMAGE_ROUTES: readonly Route<ImagesHost>[] = [
  route('GET', '/images/json', {
    access,
    summary: 'List images',
    answers: { 200: z.array(ImageSummary) },
    query: query({
      all: flag,
      digests: flag,
      'shared-size': flag,
      manifests: flag,
      filters: filters(['before', 'dangling', 'label', 'reference', 'since']),
    }),
    body: noBody,
    handler: async ({ query, apiVersion }, rt) => {
      const wanted = query.filters;
      const isBetween = await madeBetween(rt, wanted);
      const images = (await rt.images.list()).filter(
        (image) =>
          isBetween(image) &&
          (wanted.label ?? []).every((label) => matchesLabel(image.config.labels, label)) &&
          (wanted.reference ?? [undefined]).some((pattern) => named(image, pattern)) &&
          (wanted.dangling ?? []).every((text) => isTrue(text) === (image.tags.length === 0)),
      );
      const shares = query['shared-size'] ? (await rt.images.shares()).images : undefined;
      const usage = query.manifests ? (await rt.images.usage()).images : undefined;
      return json(
        images.map((image) => ({
          ...imageSummary(rt, image, { apiVersion, shared: shares?.get(image.id)?.shared }),
          ...(usage === undefined
            ? {}
            : { Manifests: imageManifests(rt, image, usage.get(image.id)?.size ?? image.size) }),
        })),
      );
    },
  }),
  streamRoute('POST', '/images/load', {
    access,
    summary: 'Load an archive of images, with progress',
    answers: { 200: documentsOf(ProgressLine) },
    query: query({ quiet: flag }),
    upload: 'application/x-tar',
    handler: ({ body, query }, rt) => stream(load(rt, body, query.quiet), 'application/json'),
  }),
  route('GET', '/images/:name{.+}/json', {
    access,
    summary: 'Inspect an image',
    answers: { 200: ImageInspect },
    query: query({}),
    body: noBody,
    handler: async ({ params, apiVersion }, rt) => {
      const name = params['name'] ?? '';
      const image = await rt.images.resolve(name);
      const [latest] = await rt.images.history(name);
      return json(inspect(image, latest?.comment ?? '', apiVersion));
    },
  }),
  route('DELETE', '/images/:name{.+}', {
    access,
    summary: 'Remove a name of an image, and the image with its last name',
    answers: { 200: z.array(Removed) },
    query: query({ force: flag, noprune: flag }),
    body: noBody,
    handler: async ({ params, query }, rt) => {
      const removed = await removeImage(rt, params['name'] ?? '', query);
      return json([
        ...removed.untagged.map((tag) => ({ Untagged: tag })),
        ...[...removed.deleted, ...removed.layers].map((id) => ({ Deleted: id })),
      ]);
    },
  }),
];

/**
 * Whether an image was made before the images that `before` names, and after those that `since`
 * names.
 *
 * @throws A3sError `no-such-image`
 */
async function madeBetween(
  rt: Pick<Runtime, 'images'>,
  { before, since }: Filters<'before' | 'since'>,
): Promise<(image: Image) => boolean> {
  const timesOf = async (names: readonly string[] = []): Promise<readonly number[]> =>
    (await Promise.all(names.map((name) => rt.images.resolve(name)))).map(madeAt);
  const [ends, starts] = [await timesOf(before), await timesOf(since)];
  return (image) =>
    ends.every((end) => madeAt(image) < end) && starts.every((start) => madeAt(image) > start);
}

/** In milliseconds. An image without a time counts as older than any other. */
function madeAt({ created }: Image): number {
  return Date.parse(created) || 0;
}

/**
 * Lines of progress. The status is sent before the archive is read, so a failure is a line as well.
 */
async function* load(
  rt: Pick<Runtime, 'images' | 'events' | 'log'>,
  archive: AsyncIterable<Uint8Array>,
  quiet: boolean,
): AsyncGenerator<Uint8Array> {
  const lines = new ProgressLines();
  const work = rt.images
    .load(archive, quiet ? undefined : (line) => lines.push({ stream: `${line}\n` }))
    .then(
      (images) => {
        for (const image of images) {
          for (const line of loaded(image)) lines.push({ stream: `${line}\n` });
          rt.events.publish('image', 'load', image.id, { name: image.tags[0] ?? image.id });
        }
      },
      async (error: unknown) => {
        const failure = failureOf(error);
        if (failure.unexpected) rt.log.error('an image could not be loaded', error);
        lines.push(failureLine(failure));
        await dropUpload(archive);
      },
    )
    .finally(() => lines.end());
  yield* lines;
  await work;
}

function loaded(image: Image): string[] {
  if (image.tags.length === 0) return [`Loaded image ID: ${image.id}`];
  return image.tags.map((tag) => `Loaded image: ${tag}`);
}

function named(image: Image, pattern: string | undefined): boolean {
  if (pattern === undefined) return true;
  return image.tags.some((tag) => matchesGlob(tag, pattern) || matchesGlob(untagged(tag), pattern));
}

function untagged(tag: string): string {
  return tag.replace(/:[^:/]*$/, '');
}

function isTrue(text: string): boolean {
  return text === 'true' || text === '1';
}

/** As Go writes it: what the image does not specify is left out. */
function healthcheck(check: NonNullable<Image['config']['healthcheck']>) {
  const { test, interval, timeout, startPeriod, startInterval, retries } = check;
  return {
    Test: test,
    ...(interval !== 0 && { Interval: interval }),
    ...(timeout !== 0 && { Timeout: timeout }),
    ...(startPeriod !== 0 && { StartPeriod: startPeriod }),
    ...(startInterval !== 0 && { StartInterval: startInterval }),
    ...(retries !== 0 && { Retries: retries }),
  };
}

/** @param comment of the latest step of the history: the message of an import, as in Docker */
function inspect(image: Image, comment: string, apiVersion: number): ImageInspect {
  const { config } = image;
  return {
    Id: image.id,
    RepoTags: image.tags,
    RepoDigests: image.repoDigests,
    Parent: parentOf(image),
    Comment: comment,
    Created: image.created,
    Author: image.author,
    Architecture: image.architecture,
    Os: image.os,
    ...sizeFields(image.size, apiVersion),
    Config: {
      User: config.user,
      ...(config.exposedPorts.length > 0 && {
        ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])),
      }),
      Env: config.env,
      Entrypoint: config.entrypoint.length === 0 ? null : config.entrypoint,
      Cmd: config.cmd.length === 0 ? null : config.cmd,
      Volumes: Object.fromEntries(config.volumes.map((path) => [path, {}])),
      WorkingDir: config.workingDir,
      Labels: config.labels,
      ...(config.stopSignal === undefined ? {} : { StopSignal: config.stopSignal }),
      ...(config.healthcheck === undefined ? {} : { Healthcheck: healthcheck(config.healthcheck) }),
      ...(config.shell === undefined ? {} : { Shell: config.shell }),
      ...(config.onBuild === undefined ? {} : { OnBuild: config.onBuild }),
    },
    GraphDriver: { Name: 'erofs', Data: {} },
    RootFS: { Type: 'layers', Layers: image.diffIds },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
    Descriptor: { digest: image.manifestDigest },
    // Docker has no such field: how the manifest came here, latest first.
    Origins: image.origins.map(({ kind, reference, at, bases = [] }) => ({
      Kind: kind,
      Reference: reference ?? '',
      At: at,
      Bases: bases.map(({ name, manifest, verdict, reason, policy }) => ({
        ...{ Name: name, Manifest: manifest, Verdict: verdict, Reason: reason, Policy: policy },
      })),
    })),
  };
}
