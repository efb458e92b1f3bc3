/**
 * `docker commit`: a box becomes an image.
 *
 * @module
 */
import * as z from 'zod';
import { type CommitHost, commitBox } from '../../../../boxes/commit/commit.ts';
import type { Config } from '../../../../boxes/commit/committed-config.ts';
import { CommitConfig, Committed } from '../../../../docker-api/containers/commit.ts';
import { familiarName, parseReference, withDefaultTag } from '../../../../oci/reference.ts';
import { json } from '../../../http/answer.ts';
import { type Route, route } from '../../../http/route.ts';
import { goBody } from '../../go-document.ts';
import { changesQuery } from '../../images/import.ts';
import { nameOf } from '../../images/tag.ts';
import { flagByDefault, query } from '../../query.ts';
import { healthRequest } from '../create/create-health.ts';

const name = z.string().max(1024).default('');
const text = z.string().max(4096).default('');

export const COMMIT_ROUTES: readonly Route<CommitHost>[] = [
  route('POST', '/commit', {
    access: 'owner',
    summary: 'Make an image of a box',
    answers: { 201: Committed },
    query: query({
      ...{ container: name, repo: name, tag: name, comment: text, author: text },
      ...{ pause: flagByDefault, changes: changesQuery },
    }),
    body: goBody(CommitConfig.nullish()),
    handler: async ({ query, body, signal }, rt) => {
      const { repo, tag, comment: message, author, pause, changes } = query;
      const box = rt.store.resolve(query.container);
      const request = {
        // As in Docker, a tag without a repository names nothing.
        name: repo === '' ? undefined : familiar(nameOf(repo, tag)),
        ...{ message, author, pause, changes },
        config: body == null ? undefined : configOf(body),
        created: new Date().toISOString(),
      };
      const image = await commitBox(rt, box, request, signal);
      return json({ Id: image.id }, 201);
    },
  }),
];

/** As events and lists show it, with the tag. */
function familiar(text: string): string {
  return familiarName(withDefaultTag(parseReference(text)));
}

function configOf(body: z.output<typeof CommitConfig>): Config {
  const { User, Env, Cmd, Entrypoint, WorkingDir, Labels, StopSignal } = body;
  const { ExposedPorts, Volumes, OnBuild, Shell, Healthcheck } = body;
  return {
    ...{ User, Env, WorkingDir, Labels, StopSignal, ExposedPorts, Volumes, OnBuild, Shell },
    ...(Cmd === undefined ? {} : { Cmd }),
    ...(Entrypoint === undefined ? {} : { Entrypoint }),
    ...(Healthcheck === undefined ? {} : healthcheckOf(Healthcheck)),
  };
}

function healthcheckOf(asked: NonNullable<z.output<typeof CommitConfig>['Healthcheck']>) {
  if (healthRequest(asked) === undefined) return {};
  const { Test, ...numbers } = asked;
  const given = Object.entries(numbers).filter(([, value]) => value !== 0);
  return { Healthcheck: { ...(Test.length === 0 ? {} : { Test }), ...Object.fromEntries(given) } };
}
