/**
 * `GET /a3s/v1/host`: the features of this host, and the reason for each that is missing; and
 * `POST /a3s/v1/host/self-test`: whether a box can run in one way.
 *
 * @module
 */
import { geteuid } from 'node:process';
import type { Runtime } from '../../boxes/runtime.ts';
import { type SelfTestHost, selfTest } from '../../boxes/self-test/self-test.ts';
import { Host, SelfTestRequest, SelfTestResult } from '../../docker-api/a3s/host.ts';
import { standardEngine } from '../../engine/engine-name.ts';
import { A3sError } from '../../errors.ts';
import { jailFeatures } from '../../jail/spawn.ts';
import { reportTools } from '../../jail/tools.ts';
import { noBody, query } from '../docker/query.ts';
import { json } from '../http/answer.ts';
import { type Route, route } from '../http/route.ts';

type ReportHost = Pick<Runtime, 'home' | 'engine' | 'trust' | 'templates'> & SelfTestHost;

export const HOST_ROUTES: readonly Route<ReportHost>[] = [
  route('GET', '/a3s/v1/host', {
    access: 'owner',
    summary: 'Describe what this host can do, with a reason for what it cannot',
    answers: { 200: Host },
    query: query({}),
    body: noBody,
    handler: async (_, rt) =>
      json({
        defaultEngine: standardEngine(rt.engine.configured),
        engines: [...(await rt.engine.reports())],
        programs: reportTools(),
        jail: await jailFeatures(),
        imagePolicy: await standingPolicyOf(rt),
        templates: templatesOf(rt),
        root: geteuid?.() === 0,
        home: rt.home,
      }),
  }),
  route('POST', '/a3s/v1/host/self-test', {
    access: 'owner',
    summary: 'Run a program in a microVM of this engine, or with this accelerator',
    answers: { 200: SelfTestResult },
    query: query({}),
    body: SelfTestRequest,
    handler: async ({ body, signal }, rt) =>
      json(
        await selfTest(
          rt,
          'engine' in body ? body : { engine: 'qemu', accelerator: body.accelerator },
          AbortSignal.any([signal, rt.shutdown]),
        ),
      ),
  }),
];

/** The image policy that applies now, or the reason why it cannot be loaded. */
async function standingPolicyOf({ trust }: Pick<Runtime, 'trust'>) {
  try {
    const { source, path, digest, rules } = await trust.standing();
    return { source, digest, rules: rules.length, ...(path === undefined ? {} : { path }) };
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    return { problem: { code: error.code, message: error.message } };
  }
}

/** How many exist, how many of them are in use, and their size on disk. */
function templatesOf({ templates }: Pick<Runtime, 'templates'>) {
  const all = templates.list().filter(({ state }) => state !== 'making');
  return {
    enabled: templates.enabled,
    count: all.length,
    inUse: all.filter(({ state }) => state === 'in use').length,
    sizeBytes: all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}
