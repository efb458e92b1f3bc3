/**
 * Git repositories over HTTP, as git's own server has them.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

const IDENTITY = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_CONFIG_GLOBAL: '/dev/null' };

function git(directory: string, ...args: readonly string[]): string {
  const { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email } = IDENTITY;
  const committer = { GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email };
  const env = { ...process.env, ...IDENTITY, ...committer };
  return execFileSync('git', args, { cwd: directory, env, encoding: 'utf8' }).trim();
}

/**
 * Makes a repository with these files on `main`, served as `NAME.git` of `root`.
 *
 * @param submodules by their path: commit and URL
 */
export function makeRepository(
  root: string,
  name: string,
  files: Readonly<Record<string, string>>,
  submodules: Readonly<Record<string, { readonly commit: string; readonly url: string }>> = {},
): { readonly commit: string } {
  const tree = join(root, name);
  mkdirSync(tree, { recursive: true });
  git(tree, 'init', '-q', '-b', 'main');
  for (const [path, text] of Object.entries(files)) writeFileSync(join(tree, path), text);
  const modules = Object.entries(submodules);
  const described = modules.map(
    ([path, { url }]) => `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`,
  );
  if (modules.length > 0) writeFileSync(join(tree, '.gitmodules'), described.join(''));
  git(tree, 'add', '.');
  for (const [path, { commit }] of modules) {
    git(tree, 'update-index', '--add', '--cacheinfo', `160000,${commit},${path}`);
  }
  git(tree, 'commit', '-q', '-m', 'all');
  git(root, 'clone', '-q', '--bare', tree, `${name}.git`);
  return { commit: git(tree, 'rev-parse', 'HEAD') };
}

/** Answers by `git http-backend`, which speaks CGI. */
export function serveGit(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '', 'http://site');
  const { headers } = request;
  const backend = spawn('git', ['http-backend'], {
    env: {
      ...process.env,
      ...{ GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', PATH_INFO: pathname },
      ...{ REQUEST_METHOD: request.method, QUERY_STRING: search.slice(1) },
      CONTENT_TYPE: headers['content-type'] ?? '',
      CONTENT_LENGTH: headers['content-length'] ?? '',
      HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // It does not read what it does not need.
  backend.stdin.on('error', () => undefined);
  request.pipe(backend.stdin);
  const chunks: Buffer[] = [];
  backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  backend.once('close', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    for (const line of answer.subarray(0, end).toString().split('\r\n')) {
      const [name = '', value = ''] = line.split(/: (.*)/s);
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.end(answer.subarray(end + 4));
  });
}
