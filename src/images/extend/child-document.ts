/**
 * The configuration of an image that has another one's layers and a further one.
 *
 * @module
 */
import * as z from 'zod';
import type { Digest } from '../../oci/digest.ts';
import { parseDocument } from '../../oci/json/json.ts';
import type { ExtendOptions } from './extend-options.ts';

/** What a child takes over. Everything else of a configuration is of the parent alone. */
const Parent = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  created: z.string().nullish(),
  variant: z.string().optional(),
  'os.version': z.string().optional(),
  'os.features': z.array(z.string()).optional(),
  history: z.array(z.looseObject({ empty_layer: z.boolean().nullish() })).nullish(),
});

export interface Child {
  readonly options: ExtendOptions;
  /** The child's layers, lowest first. */
  readonly diffIds: readonly Digest[];
  readonly parentLayers: number;
  /** The child has no layer of its own. */
  readonly empty: boolean;
  /** Names the parent's configuration in errors. */
  readonly what: string;
}

/**
 * The bytes of the configuration, in the form that Docker's commit gives it.
 *
 * @param parent the bytes of the parent's configuration
 * @throws A3sError `invalid-image`
 */
export function childDocument(parent: Buffer, child: Child): Buffer {
  const { options, diffIds, empty, what } = child;
  const { created, author, message, createdBy, config } = options;
  const { architecture, os, variant, ...rest } = parseDocument(parent, Parent, what);
  const signed = author === '' ? {} : { author };
  const step = {
    created,
    ...(createdBy === '' ? {} : { created_by: createdBy }),
    ...signed,
    ...(message === '' ? {} : { comment: message }),
    ...(empty ? { empty_layer: true } : {}),
  };
  const document = {
    ...{ created, ...signed, architecture },
    ...(variant === undefined ? {} : { variant }),
    os,
    ...(rest['os.version'] === undefined ? {} : { 'os.version': rest['os.version'] }),
    ...(rest['os.features'] === undefined ? {} : { 'os.features': rest['os.features'] }),
    config,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: [...parentHistory(rest, child), step],
  };
  return Buffer.from(JSON.stringify(document));
}

/**
 * A step for every layer of the parent, also where the parent says less: the last step is of the
 * last layer.
 */
function parentHistory(
  { history, created }: Pick<z.infer<typeof Parent>, 'history' | 'created'>,
  { parentLayers }: Child,
): readonly object[] {
  const steps = history ?? [];
  const told = steps.filter(({ empty_layer }) => empty_layer !== true).length;
  const untold = Array.from({ length: Math.max(0, parentLayers - told) }, () =>
    created == null ? {} : { created },
  );
  return [...steps, ...untold];
}
