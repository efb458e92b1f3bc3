/**
 * Makes an image of a box: the layers of its image, and what the box has changed as a further one.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { checkExtendOptions, type ExtendOptions } from '../../images/extend/extend-options.ts';
import type { Image } from '../../images/image.ts';
import {
  expectVisible,
  type FilesGuest,
  type FilesHost,
  filesGuest,
} from '../files/files-guest.ts';
import type { Box } from '../record/box.ts';
import { pinnedImage } from '../record/pinned-image.ts';
import { pauseForAWhile } from '../run/while-paused.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { type Config, committedConfig } from './committed-config.ts';

const WHAT = 'commit';

/** What a commit needs of the server. */
export type CommitHost = FilesHost & Pick<Services, 'images' | 'events'>;

export interface CommitRequest {
  /** The image's name; undefined leaves it without one. */
  readonly name: string | undefined;
  readonly message: string;
  readonly author: string;
  /** A box that runs is paused until its changes were read. */
  readonly pause: boolean;
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[];
  /** In place of the box's own configuration. */
  readonly config: Config | undefined;
  /** RFC 3339. */
  readonly created: string;
}

/**
 * @param client its abort ends the commit
 * @throws A3sError `host-not-permitted` for a confidential box, `no-such-image` where the box's
 * image is gone, `invalid-argument`, `invalid-reference`, `invalid-image`, `too-large`,
 * `disk-full`. Then the box is as it was, and nothing of the image is left.
 */
export async function commitBox(
  rt: CommitHost,
  box: Box,
  request: CommitRequest,
  client: AbortSignal,
): Promise<Image> {
  const { definition, name, state } = box;
  if (state.status === 'removing') {
    throw new A3sError('conflict', `You cannot commit container ${name} which is being removed`, {
      remedy: 'Commit a box before it is removed.',
    });
  }
  expectVisible(box, WHAT);
  const parent = await pinnedImage(rt, definition);
  const options: ExtendOptions = {
    ...{ name: request.name, message: request.message, author: request.author },
    config: committedConfig(definition, parent, request.changes, request.config),
    createdBy: definition.cmd.join(' '),
    created: request.created,
  };
  checkExtendOptions(options);
  const resume = request.pause
    ? await pauseForAWhile(rt, definition.id)
    : async (): Promise<void> => undefined;
  try {
    const image = await readLayer(rt, box, client, resume, (layer) =>
      rt.images.extend(parent, layer, options),
    );
    published(rt, box, image, request);
    return image;
  } finally {
    await resume();
  }
}

/** Reads the changes of the box. It resumes as soon as all of them were read. */
async function readLayer<T>(
  rt: CommitHost,
  box: Box,
  client: AbortSignal,
  resume: () => Promise<void>,
  use: (layer: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const files = await filesGuest(rt, box, WHAT, client);
  try {
    const layer = files.moving(await begin(files, box), 'guest');
    return await use(
      (async function* () {
        yield* layer;
        await files.release();
        await resume();
      })(),
    );
  } finally {
    await files.release();
  }
}

async function begin({ guest, signal }: FilesGuest, { name }: Box) {
  try {
    return await guest.files.layer(signal);
  } catch (error) {
    if (!(error instanceof A3sError) || error.code !== 'invalid-argument') throw error;
    throw new A3sError('invalid-argument', `Cannot commit ${name}: ${error.message}`, {
      remedy: 'Rename or remove it in the box.',
      cause: error,
    });
  }
}

function published(
  rt: CommitHost,
  box: Box,
  { id }: Image,
  { name, message }: CommitRequest,
): void {
  if (name !== undefined) rt.events.publish('image', 'tag', id, { name });
  publish(rt, box, 'commit', { comment: message, imageID: id, imageRef: name ?? '' });
}
