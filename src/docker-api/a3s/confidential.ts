/**
 * The part of a create document that makes a box confidential.
 *
 * @module
 */
import { brokerResource, HOST_PERMISSIONS, LaunchSpec, SEALING } from '@a3s-box/policies';
import * as z from 'zod';
import type { Document } from '../document.ts';
import { BrokerBody } from './broker-body.ts';

const MAX_KEYS = 64;
const MAX_SECRETS = 64;
const MAX_PEM = 16 * 1024;
const ID_BLOCK_TEXT = 4 * Math.ceil(4096 / 3);
const DEFAULT_DEADLINE = 600;

const Secret = z.strictObject({
  /** Its file is `/run/secrets/NAME`. */
  Name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, {
    error:
      'must be 1 to 63 of a-z, 0-9, dot, dash and underscore, and begin with a letter or digit',
  }),
  /** Public keys in PEM whose holders may inject it. */
  InjectorKeys: z.array(z.string().max(MAX_PEM)).max(MAX_KEYS).default([]),
  /** Any client that reaches the box may inject it. */
  AllowAnyInjector: z.boolean().default(false),
  /** Its path at `Broker`, from where the box fetches it; nobody injects it then. */
  Resource: brokerResource.nullish(),
  /** After how many seconds it is fetched again, and its file replaced; without it, never. */
  Refresh: z.int().min(10).max(604_800).nullish(),
  /** The variable of the main process that it becomes, instead of a file. */
  Env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, { error: 'must be the name of a variable' })
    .nullish(),
});

const idText = z.base64().max(ID_BLOCK_TEXT).nullish();

export const Confidential = z
  .strictObject({
    Tee: z.enum(['snp', 'simulate']),
    /** What the launch spec lets the host do; ending the box needs no permission. */
    HostMay: z.array(z.enum(HOST_PERMISSIONS)).max(16).default([]),
    Secrets: z.array(Secret).max(MAX_SECRETS).default([]),
    /** Where the box fetches those with a `Resource`, and sealed volumes have their counters. */
    Broker: BrokerBody.nullish(),
    /** Name by which relying parties tell boxes of one image apart. */
    Deployment: LaunchSpec.shape.deployment.default(''),
    Changes: z.enum(['memory', 'encrypted-disk']).default('memory'),
    /** How long the workload waits for its secrets, in seconds. */
    SecretsDeadline: LaunchSpec.shape.secretsDeadline.default(DEFAULT_DEADLINE),
    /** Which keys the agent derives, for envelopes that outlive the guest. */
    Sealing: z.enum(SEALING).default('none'),
    /** Public keys in PEM whose holders may seal and unseal over RA-TLS. */
    SealerKeys: z.array(z.string().max(MAX_PEM)).max(MAX_KEYS).default([]),
    /**
     * How many networks the host may put the box into, its own among them. Without it, as many as
     * it is created in; none where that is its own alone.
     */
    HostNetworks: LaunchSpec.shape.hostNetworks.nullish(),
    /** Names that the host may give addresses of them, besides those of links. */
    HostNames: z.array(z.string().max(253)).max(256).default([]),
    /**
     * Of a boot set that is used instead of the current one: its id, or the absolute path of its
     * directory.
     */
    BootSet: z.string().min(1).max(4096).nullish(),
    /** As SNP_LAUNCH_FINISH takes them, in base64. */
    IdBlock: idText,
    IdAuth: idText,
  })
  .refine(({ IdBlock, IdAuth }) => !IdBlock === !IdAuth, {
    error: 'IdBlock and IdAuth belong together',
  })
  .refine(
    ({ Secrets }) =>
      Secrets.every(
        ({ InjectorKeys, AllowAnyInjector, Resource }) =>
          [InjectorKeys.length > 0, AllowAnyInjector, Boolean(Resource)].filter(Boolean).length ===
          1,
      ),
    {
      error:
        'each secret must name InjectorKeys, or say AllowAnyInjector, or have a Resource, and one of these alone',
    },
  )
  .refine(
    ({ Secrets }) => Secrets.every(({ Refresh, Resource, Env }) => !Refresh || (Resource && !Env)),
    {
      error: 'a secret with Refresh must have a Resource, and no Env',
    },
  )
  // The other way round, a sealed volume may have its counter there.
  .refine(({ Broker, Secrets }) => Broker || Secrets.every(({ Resource }) => !Resource), {
    error: 'a secret with a Resource and Broker belong together',
  });

export type Confidential = Document<typeof Confidential>;
