/**
 * The routes of templates: list, warm up and remove.
 *
 * @module
 */
import type { Runtime } from '../../boxes/runtime.ts';
import {
  TemplateDetails,
  TemplateRemoved,
  type TemplateSummary,
  Templates,
  TemplatesPruned,
  WarmUpBody,
  WarmUpLine,
} from '../../docker-api/a3s/template.ts';
import { A3sError } from '../../errors.ts';
import type * as stored from '../../templates/templates.ts';
import { type Filters, filters } from '../docker/filters.ts';
import { failureLine, ProgressLines } from '../docker/images/progress-lines.ts';
import { noBody, query } from '../docker/query.ts';
import { json, stream } from '../http/answer.ts';
import { failureOf } from '../http/failure.ts';
import { documentsOf } from '../http/replies.ts';
import { type Route, route } from '../http/route.ts';

const access = 'owner';
const FILTERS = ['id', 'state', 'cpus'] as const;

export const TEMPLATE_ROUTES: readonly Route<Pick<Runtime, 'templates' | 'host' | 'log'>>[] = [
  route('GET', '/a3s/v1/templates', {
    access,
    summary: 'List templates',
    answers: { 200: Templates },
    query: query({ filters: filters(FILTERS) }),
    body: noBody,
    handler: ({ query }, rt) => {
      const found = rt.templates.list().filter((each) => matches(each, query.filters));
      return json({ templates: found.map(summaryOf) });
    },
  }),
  route('GET', '/a3s/v1/templates/:id', {
    access,
    summary: 'Inspect a template, with all that it depends on',
    answers: { 200: TemplateDetails },
    query: query({}),
    body: noBody,
    handler: ({ id }, rt) => json(detailsOf(rt.templates.inspect(id))),
  }),
  route('DELETE', '/a3s/v1/templates/:id', {
    access,
    summary: 'Remove a template',
    answers: { 200: TemplateRemoved },
    query: query({}),
    body: noBody,
    handler: async ({ id }, rt) => json({ removed: await rt.templates.remove(id) }),
  }),
  route('POST', '/a3s/v1/templates/prune', {
    access,
    summary: 'Remove templates that no box will start from any more',
    answers: { 200: TemplatesPruned },
    query: query({}),
    body: noBody,
    handler: async (_, rt) => json(await rt.templates.prune()),
  }),
  route('POST', '/a3s/v1/templates/warm', {
    access,
    summary: 'Make templates, and report the progress',
    answers: { 200: documentsOf(WarmUpLine) },
    query: query({}),
    body: WarmUpBody,
    handler: ({ body, signal }, rt) => {
      for (const count of body.cpus) checkCpus(count, rt.host.cpus);
      return stream(warm(rt, body.cpus, signal), 'application/json');
    },
  }),
];

function checkCpus(count: number, most: number): void {
  if (count <= most) return;
  throw new A3sError(
    'invalid-argument',
    `Cannot make a template with ${count} CPUs: only ${most} are available`,
  );
}

/**
 * Lines of progress. The status is sent before any template is made, so a failure is a line as
 * well.
 */
async function* warm(
  rt: Pick<Runtime, 'templates' | 'log'>,
  cpus: readonly number[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const lines = new ProgressLines();
  const abandoned = new AbortController();
  const ends = AbortSignal.any([signal, abandoned.signal]);
  const work = rt.templates
    .warm(cpus, (step) => lines.push({ cpus: step.cpus, id: step.key, status: step.step }), ends)
    .catch((error: unknown) => {
      const failure = failureOf(error);
      if (failure.unexpected && !ends.aborted) rt.log.error('templates were not made', error);
      lines.push(failureLine(failure));
    })
    .finally(() => lines.end());
  try {
    yield* lines;
  } finally {
    // A build that is under way is completed: the next box that starts can use it.
    abandoned.abort(new A3sError('internal', 'Nobody waits any more'));
    await work;
  }
}

function matches(
  { key, state, cpus }: stored.TemplateSummary,
  wanted: Filters<(typeof FILTERS)[number]>,
): boolean {
  const any = (values: readonly string[] | undefined, test: (value: string) => boolean): boolean =>
    values === undefined || values.some(test);
  return (
    any(wanted.id, (value) => key.startsWith(value)) &&
    any(wanted.state, (value) => value === state || value === state.replaceAll(' ', '-')) &&
    any(wanted.cpus, (value) => value === String(cpus))
  );
}

function summaryOf({ key, ...rest }: stored.TemplateSummary): TemplateSummary {
  return { id: key, ...rest };
}

function detailsOf({ key, ...rest }: stored.TemplateDetails): TemplateDetails {
  return { id: key, ...rest };
}
