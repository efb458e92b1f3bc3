/**
 * Answers the calls of a BuildKit client for which there is no builder. `docker build` asks its
 * server for a builder over gRPC, and starts one in a container where it finds none. So these calls
 * are answered: there is no worker, and every build is refused in words.
 *
 * @module
 */
import type { ServerHttp2Stream } from 'node:http2';
import { failure, framed, GRPC } from '../wire/grpc.ts';
import { LIST_WORKERS } from './methods.ts';
import { isOver } from './refuse-call.ts';

/** @param reason the words of the refusal */
export function refuseBuild(
  stream: ServerHttp2Stream,
  path: string | undefined,
  reason: string,
): void {
  stream.resume();
  if (path === LIST_WORKERS) listNone(stream);
  else stream.respond(failure(GRPC.unimplemented, reason), { endStream: true });
}

function listNone(stream: ServerHttp2Stream): void {
  stream.on('wantTrailers', () => {
    if (!isOver(stream)) stream.sendTrailers({ 'grpc-status': GRPC.ok });
  });
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.end(framed(Buffer.alloc(0)));
}
