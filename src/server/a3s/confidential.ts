/**
 * Reports on confidential boxes, and connections to their RA-TLS servers.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { askEvidence } from '../../boxes/confidential/evidence.ts';
import { carryRatls, openRatls, openSealing } from '../../boxes/confidential/ratls-stream.ts';
import { measureBox } from '../../boxes/create/measure.ts';
import type { Runtime } from '../../boxes/runtime.ts';
import { type MeasuringHost, measurePod } from '../../cri/measure/measure-pod.ts';
import { Evidence } from '../../docker-api/a3s/evidence.ts';
import { Launch, Measured } from '../../docker-api/a3s/launch.ts';
import { MeasuredPod, MeasurePodBody } from '../../docker-api/a3s/measure-pod.ts';
import { MeasureBody } from '../../docker-api/containers/create.ts';
import { A3sError } from '../../errors.ts';
import { readAnnotations } from '../docker/containers/create/annotations.ts';
import { confidentialRequest } from '../docker/containers/create/confidential-request.ts';
import { parseCreate } from '../docker/containers/create/parse-create.ts';
import { SIMULATED_NOTE } from '../docker/containers/inspect/show-confidential.ts';
import { expectPlatform, parsePlatform } from '../docker/platform.ts';
import { noBody, query } from '../docker/query.ts';
import { json } from '../http/answer.ts';
import { HIJACK } from '../http/replies.ts';
import { type Route, route, streamRoute } from '../http/route.ts';

const access = 'owner';

/** Digests that a policy exempts from the list of known vulnerable ones. */
const digestList = z.string().regex(/^[0-9a-f]{64,128}(,[0-9a-f]{64,128}){0,63}$/);
/** The same bounds as the verifier's own nonces: 32 to 64 bytes. */
const nonce = z
  .base64()
  .refine((text) => isNonce(Buffer.from(text, 'base64').length), {
    error: 'must be 32 to 64 bytes in base64',
  })
  .optional();

function isNonce(bytes: number): boolean {
  return bytes >= 32 && bytes <= 64;
}

/** No plaintext crosses this host: what is sent is inside of TLS, which ends in the guest. */
const CONNECT_SUMMARIES = {
  ratls: 'Connect to the RA-TLS server in the guest; the connection leaves HTTP',
  seal: 'Connect to the RA-TLS server of a guest that seals; the connection leaves HTTP',
  unseal: 'Connect to the RA-TLS server of a guest that unseals; the connection leaves HTTP',
} as const;

type ConfidentialHost = Pick<Runtime, 'store' | 'running' | 'boot' | 'host' | 'images'> &
  MeasuringHost;

export const CONFIDENTIAL_ROUTES: readonly Route<ConfidentialHost>[] = [
  route('GET', '/a3s/v1/boxes/:id/evidence', {
    access,
    summary:
      'Get the evidence of a running confidential box, over a session of this host with its guest',
    query: query({ nonce }),
    body: noBody,
    answers: { 200: Evidence },
    handler: async ({ id, query, signal }, rt) => {
      const { definition } = rt.store.resolve(id);
      const asked = query.nonce === undefined ? randomBytes(32) : fromBase64(query.nonce);
      const evidence = await askEvidence(rt, definition.id, asked, signal);
      const simulated = definition.confidential?.tee === 'simulated';
      return json({
        hint: true,
        simulated,
        ...(simulated ? { note: SIMULATED_NOTE } : {}),
        ...evidence,
      });
    },
  }),
  route('GET', '/a3s/v1/boxes/:id/launch', {
    access,
    summary: 'Get the launch record of the present or last run of a confidential box',
    query: query({}),
    body: noBody,
    answers: { 200: Launch },
    handler: ({ id }, rt) => json(launchOf(rt, id)),
  }),
  connectRoute('ratls', openRatls),
  connectRoute('seal', (rt, id, signal) => openSealing(rt, id, 'seal', signal)),
  connectRoute('unseal', (rt, id, signal) => openSealing(rt, id, 'unseal', signal)),
  route('POST', '/a3s/v1/measure', {
    access,
    summary:
      'Compute the launch of a confidential box from its create request, without creating it',
    query: query({
      platform: z.string().max(64).optional(),
      allowKnownVulnerable: digestList.optional(),
    }),
    body: { schema: MeasureBody, read: parseCreate },
    answers: { 200: Measured },
    handler: async ({ query, body: { request: asked } }, rt) => {
      const platform = parsePlatform(query.platform);
      const request = { ...asked, name: undefined };
      await expectPlatform(rt, platform, request.image);
      const allowed = query.allowKnownVulnerable?.split(',');
      return json(await measureBox(rt, request, allowed));
    },
  }),
  route('POST', '/a3s/v1/measure-pod', {
    access,
    summary: 'Compute the launch of a confidential pod from its manifest, without running it',
    query: query({}),
    body: MeasurePodBody,
    answers: { 200: MeasuredPod },
    handler: async ({ body }, rt) =>
      json(await measurePod(rt, body.Tee, body.Manifest, readPodOptions)),
  }),
];

/** @throws A3sError `unsupported-option`, `invalid-argument`, `key-invalid` */
async function readPodOptions(annotations: Readonly<Record<string, string>>) {
  const { confidential, egress } = await readAnnotations(annotations);
  if (egress === undefined) return confidentialRequest(confidential);
  throw new A3sError('unsupported-option', 'A confidential pod has no network policy of its own', {
    remedy: 'Leave out the annotations dev.a3s.egress and those like it.',
  });
}

/** A connection to the RA-TLS server of a guest, which `open` refuses to boxes that have none. */
function connectRoute(
  name: keyof typeof CONNECT_SUMMARIES,
  open: typeof openRatls,
): Route<ConfidentialHost> {
  return streamRoute('POST', `/a3s/v1/boxes/:id/${name}`, {
    access,
    summary: CONNECT_SUMMARIES[name],
    query: query({}),
    upload: 'application/octet-stream',
    answers: { 101: HIJACK },
    handler: async ({ id, signal }, rt) => {
      const { definition } = rt.store.resolve(id);
      const guest = await open(rt, definition.id, signal);
      return {
        kind: 'hijack' as const,
        multiplexed: false,
        serve: (client) => carryRatls(guest, client),
      };
    },
  });
}

function launchOf({ store }: Pick<Runtime, 'store'>, reference: string): Launch {
  const { definition, state, name } = store.resolve(reference);
  const { confidential } = definition;
  if (confidential === undefined) {
    throw new A3sError('unsupported-option', `Cannot tell what was launched: ${name} is plain`);
  }
  const { launch } = state;
  if (launch === undefined) {
    throw new A3sError('box-not-running', `Cannot tell what was launched: ${name} never started`, {
      remedy: 'Start it, or see what would be launched with a3s-box measure.',
    });
  }
  const simulated = confidential.tee === 'simulated';
  return {
    tee: simulated ? 'simulate' : 'snp',
    simulated,
    ...(simulated ? { note: SIMULATED_NOTE } : {}),
    launch: launch.record ?? null,
    measurement: launch.measurement ?? null,
    hostData: launch.hostData,
    guestPolicy: launch.policy,
    bootSet: launch.bootSet,
    instance: launch.instance ?? null,
    spec: confidential.launchSpec,
  };
}

function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, 'base64');
}
