/**
 * `a3s-box compose measure`: what the confidential services of an application will be.
 *
 * docker compose reads the Compose file, and creates the services on an engine that records what it
 * is sent. So a box of `up` and its measurement come from one document.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer, text } from 'node:stream/consumers';
import type { Measured } from '../../../docker-api/a3s/launch.ts';
import { type JsonObject, objectOf, stringOf } from '../../client/json.ts';
import type { Context } from '../../context.ts';
import { string } from '../../flags/flag.ts';
import { FlagValues } from '../../flags/flag-values.ts';
import { canonicalize } from '../../flags/pflag.ts';
import { jsonText } from '../../output/json-text.ts';
import type { Measurement } from '../../output/measurement-text.ts';
import { printWarnings, warningsFor } from '../../requests/confidential-warnings.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { UsageError } from '../../usage-error.ts';
import { readMeasurement } from '../confidential/read-measurement.ts';
import { APPLICATION_FILE, applicationPolicyText } from './application-policy-text.ts';
import { engineEnvironment } from './engine-environment.ts';
import { COMPOSE, findPlugin } from './find-plugin.ts';
import { type MeasureArguments, readsInput } from './measure-arguments.ts';
import { policyDirectory, writePolicies } from './policy-directory.ts';
import { RecordingEngine } from './recording-engine.ts';

const PATH = 'compose measure';
const FLAGS = [
  string('format', 'json for a JSON document'),
  string('policy-out', 'Directory for the policies', { value: 'dir' }),
];
const TEE = 'dev.a3s.tee';
const SERVICE_LABEL = 'com.docker.compose.service';
/** As a policy has them. */
const APPLICATION = /^[a-z0-9][a-z0-9_-]{0,254}$/;
/** As Compose has them. */
const SERVICE = /^[A-Za-z0-9._-]{1,128}$/;

interface MeasuredService extends Measurement {
  readonly service: string;
}

/** Returns the exit status: docker compose's own where that fails. */
export async function measureServices(context: Context, given: MeasureArguments): Promise<number> {
  const { before, after } = given;
  const { flags: values, operands } = canonicalize(PATH, FLAGS, after, true);
  const flags = new FlagValues(PATH, FLAGS, values);
  const format = flags.string('format') ?? '';
  if (!['', 'json'].includes(format)) {
    throw new UsageError(`--format: ${JSON.stringify(format)} is not json`);
  }
  const out = flags.string('policy-out');
  const directory = out === undefined ? undefined : policyDirectory(context.cwd, out);
  const program = findPlugin(COMPOSE, context.env);
  const client = await context.connect();
  // docker compose runs twice.
  const input = readsInput(given) ? await buffer(context.stdin) : undefined;
  return interruptible(context, async (signal) => {
    await using engine = await RecordingEngine.listen((await context.config()).socket);
    const run = (args: readonly string[]): Promise<Ended> =>
      runCompose(program, [...before, '--progress', 'quiet', ...args], {
        cwd: context.cwd,
        env: engineEnvironment(context.env, engine.socket),
        stderr: context.stderr,
        input,
        signal,
      });
    const config = await run(['config', '--format', 'json']);
    if (config.code !== 0) return config.code;
    const { application, services } = confidentialServices(config.stdout, operands);
    const created = await run(['up', '--no-start', '--no-deps', '--no-build', '--', ...services]);
    if (created.code !== 0) return created.code;
    const measured: MeasuredService[] = [];
    for (const service of services) {
      const body = engine.created.find(
        ({ Labels }) => stringOf(objectOf(Labels)[SERVICE_LABEL]) === service,
      );
      if (body === undefined) throw unused(service);
      const call = { method: 'POST', path: '/a3s/v1/measure', body, signal } as const;
      const answer = objectOf<Measured>(await client.json(call));
      const privileged = objectOf(body['HostConfig'])['Privileged'] === true;
      const asked = { privileged, excepted: false };
      measured.push({ service, ...readMeasurement(teeOf(body), answer, asked) });
    }
    printWarnings(context, warningsFor({ Tee: simulatedOf(measured) }));
    if (directory !== undefined) {
      await writePolicies(directory, filesOf(application, measured), signal);
    }
    context.stdout.write(format === 'json' ? jsonText(measured) : describe(measured));
    return 0;
  });
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
}

async function runCompose(
  program: string,
  args: readonly string[],
  {
    stderr,
    input,
    ...options
  }: {
    readonly cwd: string;
    readonly env: Record<string, string>;
    readonly stderr: NodeJS.WritableStream;
    readonly input: Buffer | undefined;
    readonly signal: AbortSignal;
  },
): Promise<Ended> {
  const child = spawn(program, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  // It need not read it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  child.stderr.pipe(stderr, { end: false });
  const stdout = text(child.stdout);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 1, stdout: await stdout };
}

function confidentialServices(
  config: string,
  asked: readonly string[],
): { readonly application: string; readonly services: readonly string[] } {
  const document: unknown = JSON.parse(config);
  const { name, services } = objectOf<JsonObject>(document);
  const confidential = Object.entries(objectOf(services))
    .filter(([, service]) => Object.hasOwn(objectOf(objectOf(service)['annotations']), TEE))
    .map(([service]) => service)
    .sort();
  const plain = asked.find((service) => !confidential.includes(service));
  if (plain !== undefined) {
    throw new UsageError(`${JSON.stringify(plain)} is no confidential service of this application`);
  }
  const chosen = confidential.filter((each) => asked.length === 0 || asked.includes(each));
  if (chosen.length === 0) {
    throw new UsageError('no service of this application is confidential', {
      remedy: `Give a service the annotation ${TEE}: snp, or simulate.`,
    });
  }
  const odd = chosen.find((service) => !SERVICE.test(service));
  if (odd !== undefined) throw new UsageError(`${JSON.stringify(odd)} is no name of a service`);
  const taken = chosen.find((service) => `${service}.yaml` === APPLICATION_FILE);
  if (taken !== undefined) {
    throw new UsageError(`no service may have the name of the file ${APPLICATION_FILE}`);
  }
  const provided = chosen.find(
    (service) => objectOf(objectOf(services)[service])['provider'] !== undefined,
  );
  if (provided !== undefined) {
    // docker compose would run it, to measure what a stranger wrote.
    throw new UsageError(
      `${JSON.stringify(provided)} has a provider, which is a program, and no box`,
    );
  }
  const application = stringOf(name);
  if (!APPLICATION.test(application)) {
    throw new UsageError(`${JSON.stringify(application)} is no name of an application`, {
      remedy:
        'Give it another with --project-name: at most 255 lower-case letters, digits, _ and -.',
    });
  }
  return { application, services: chosen };
}

function teeOf(body: JsonObject): Measurement['tee'] {
  const annotations = objectOf(objectOf(body['HostConfig'])['Annotations']);
  return annotations[TEE] === 'snp' ? 'snp' : 'simulated';
}

function simulatedOf(measured: readonly Measurement[]): 'snp' | 'simulate' {
  return measured.some(({ simulated }) => simulated) ? 'simulate' : 'snp';
}

function unused(service: string): UsageError {
  return new UsageError(`docker compose creates no box of the service ${service}`, {
    remedy: 'See what docker compose printed. A service of scale 0 has no box.',
  });
}

/** The application policy is the last: it stands for all that it names. */
function filesOf(
  application: string,
  measured: readonly MeasuredService[],
): ReadonlyMap<string, string> {
  const names = measured.map(({ service }) => service);
  return new Map([
    ...measured.map(({ service, policy }) => [`${service}.yaml`, policy] as const),
    [APPLICATION_FILE, applicationPolicyText(application, names)] as const,
  ]);
}

function describe(measured: readonly MeasuredService[]): string {
  return measured
    .map(({ service, tee, simulated, measurement, hostData }) =>
      [
        `${service}  ${simulated ? 'SIMULATED' : tee}`,
        `  launch digest  ${measurement}`,
        `  HOST_DATA      ${hostData}`,
        '',
      ].join('\n'),
    )
    .join('');
}
