/**
 * The real docker compose on podman's service.
 *
 * podman has systemd run the health checks of containers. Where it is not at hand, nobody does, so
 * they are run here, by the same request.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { finish } from '../../e2e/actor.ts';
import type { EngineService } from '../../peers/engine-service.ts';
import type { ComposeEngine } from './application.ts';

const HEALTH_MS = 1000;

export class PodmanCompose {
  readonly #service: EngineService;
  readonly #deadlineMs: number;
  readonly #end = new AbortController();
  readonly #checks: Promise<void>;

  constructor(service: EngineService, deadlineMs: number) {
    this.#service = service;
    this.#deadlineMs = deadlineMs;
    this.#checks = this.#checkHealth();
  }

  /** Its ports are in its own network namespace, so a service is asked from inside. */
  of(project: string): ComposeEngine {
    const compose = (...args: readonly string[]): Promise<string> =>
      this.#run('docker-compose', ['--project-directory', project, ...args]);
    return {
      compose,
      request: (service, port, path) =>
        compose('exec', '-T', service, 'curl', '-sS', `http://127.0.0.1:${port}${path}`),
    };
  }

  /** Runs the docker command line. */
  docker(...args: readonly string[]): Promise<string> {
    return this.#run('docker', args);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#checks;
    await this.#service.stop();
  }

  async #run(program: string, args: readonly string[]): Promise<string> {
    const { socket } = this.#service;
    const env = {
      PATH: process.env['PATH'],
      HOME: dirname(socket),
      DOCKER_HOST: `unix://${socket}`,
      // It has Buildah, and no BuildKit.
      DOCKER_BUILDKIT: '0',
    };
    const child = spawn(program, args, { env });
    const { code, stdout, stderr } = await finish(child, { deadlineMs: this.#deadlineMs });
    if (code === 0) return stdout.trimEnd();
    throw new Error(`${program} ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  }

  async #checkHealth(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        const running = JSON.parse(await this.#get('/containers/json')) as { Id: string }[];
        for (const { Id } of running) await this.#get(`/libpod/containers/${Id}/healthcheck`);
      } catch {
        // A container that has gone meanwhile, or a service that is busy.
      }
      await delay(HEALTH_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #get(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.#service.socket, path: `/v5.0.0${path}` };
      const asked = request(options, (answer) => resolve(text(answer)));
      asked.on('error', reject);
      asked.end();
    });
  }
}
