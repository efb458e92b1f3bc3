import { dirname, join, resolve } from 'node:path';
import type { ContainerSummary } from '../../../docker-api/containers/container.ts';
import { A3sError } from '../../../errors.ts';
import { objectOf, objectsOf, type Received, stringOf, stringsOf } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import { inputName } from '../../files/input-file.ts';
import { bool, byName, string } from '../../flags/flag.ts';
import { jsonText } from '../../output/json-text.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { readDocument, readPolicy } from '../attest/input/policy-input.ts';
import { tellingPrograms } from '../attest/json-failure.ts';
import { refusing } from '../attest/load-library.ts';
import { SIMULATED_BANNER } from '../attest/verdict/verdict-text.ts';
import { describeApplication } from './application-text.ts';
import type { ApplicationVerdict, ServiceVerdict } from './application-verdict.ts';
import { attestTarget } from './attest-target.ts';
import { type BoxVerdict, undecidedBox } from './box-verdict.ts';
import { anchorsOf, type Library, PEER_FLAGS, type Trust } from './peer-flags.ts';
import { undecided } from './undecided.ts';

const PROJECT_LABEL = 'com.docker.compose.project';
const SERVICE_LABEL = 'com.docker.compose.service';

/** What a policy of a whole application leaves to that of each service. */
const FLAGS = PEER_FLAGS.filter(({ name }) => !name.startsWith('expect-'));

export const attestApp: Command = {
  usage: '[OPTIONS] --policy FILE',
  description: [
    'Challenge the confidential boxes of an application of docker compose over RA-TLS, and hold each against the policy of',
    'its service, as "a3s-box compose measure --policy-out" writes them. The application is accepted if each service of the',
    'policy has a box that runs, each of those is accepted and another guest, and no confidential box of the application is of another service.',
    'Which boxes there are is what the host says; plain boxes prove nothing, and are not looked at.',
    'Exits with 0 if the application is accepted, 1 if it is rejected, 2 if that cannot be decided: a box that does not answer is no reason to reject.',
  ].join('\n'),
  flags: byName([
    ...FLAGS,
    bool('json', 'Print a JSON document'),
    string('project', 'Name of the application, where it is not that of the policy', {
      value: 'name',
    }),
  ]),
  operands: { min: 0, max: 0 },
  usageStatus: 2,
  failureStatus: 2,
  run: tellingPrograms(run, undecided),
};

async function run(invocation: Invocation): Promise<number> {
  const { context, flags } = invocation;
  const library = await import('#ratls');
  const { application, policies } = await readPolicies(invocation, library);
  const anchors = await anchorsOf(context, flags, library);
  const project = flags.string('project') ?? application;
  return interruptible(context, async (signal) => {
    const boxes = await confidentialBoxes(invocation, project, signal);
    const services: ServiceVerdict[] = boxes
      .filter(({ service }) => !policies.has(service))
      .map(({ service, box }) => ({ service, box, accepted: false, code: 'unnamed-service' }));
    const instances = new Set<string>();
    for (const [service, policy] of policies) {
      const own = boxes.filter((box) => box.service === service);
      if (own.length === 0) services.push({ service, box: '', accepted: false, code: 'no-box' });
      for (const { box, id } of own) {
        const request = { context, library, target: id, trust: { ...anchors, policy }, signal };
        const verdict = await attestTarget(request).catch((cause: unknown) => {
          // The others are asked all the same.
          if (signal.aborted) throw cause;
          return undecidedBox(id, cause);
        });
        services.push(verdictOf({ service, box }, verdict, instances));
      }
    }
    const verdict: ApplicationVerdict = {
      application: project,
      accepted: services.every(({ accepted }) => accepted),
      ...([...policies.values()].some(({ tee }) => tee === 'simulated')
        ? { simulated: true as const }
        : {}),
      services,
    };
    if (flags.bool('json')) {
      if (verdict.simulated === true) context.stderr.write(SIMULATED_BANNER);
      context.stdout.write(jsonText(verdict));
    } else {
      context.stdout.write(describeApplication(verdict));
    }
    return statusOf(services);
  });
}

/** What is rejected decides, whatever could not be decided beside it. */
function statusOf(services: readonly ServiceVerdict[]): 0 | 1 | 2 {
  const refused = services.filter(({ accepted }) => !accepted);
  if (refused.length === 0) return 0;
  return refused.every(({ undecided }) => undecided === true) ? 2 : 1;
}

/** The host may lead to one guest for several boxes: each counts once. */
function verdictOf(
  { service, box }: Pick<ServiceVerdict, 'service' | 'box'>,
  verdict: BoxVerdict,
  instances: Set<string>,
): ServiceVerdict {
  const instance = verdict.box?.instance;
  if (!verdict.accepted || instance === undefined) {
    const { code, undecided } = verdict;
    return { service, box, accepted: false, code, ...(undecided && { undecided }), verdict };
  }
  if (instances.has(instance)) {
    return { service, box, accepted: false, code: 'same-instance', verdict };
  }
  instances.add(instance);
  return { service, box, accepted: true, code: verdict.code, verdict };
}

interface Policies {
  readonly application: string;
  readonly policies: ReadonlyMap<string, Trust['policy']>;
}

/** All of them, before any box is asked. */
async function readPolicies({ context, flags }: Invocation, library: Library): Promise<Policies> {
  const path = flags.needed('policy', (text) => text);
  const document = await readDocument(context, library, path, '--policy');
  const { application, services } = refusing(library, inputName(path), () =>
    library.parseApplicationPolicy(document),
  );
  const directory = dirname(resolve(context.cwd, path));
  const policies = new Map<string, Trust['policy']>();
  for (const [service, file] of services) {
    const { policy } = await readPolicy(context, library, join(directory, file), '--policy');
    policies.set(service, policy);
  }
  return { application, policies };
}

interface ServiceBox {
  readonly service: string;
  /** Its name. */
  readonly box: string;
  readonly id: string;
}

/** Those of the application that run, by the labels of docker compose. */
async function confidentialBoxes(
  { context }: Invocation,
  project: string,
  signal: AbortSignal,
): Promise<readonly ServiceBox[]> {
  const client = await context.connect();
  const filters = JSON.stringify({ label: [`${PROJECT_LABEL}=${project}`] });
  const call = { method: 'GET', path: '/containers/json', query: { filters }, signal } as const;
  return objectsOf<ContainerSummary>(await client.json(call))
    .filter(({ Confidential }) => Confidential !== null && Confidential !== undefined)
    .map((box) => ({ service: serviceOf(box), box: nameOf(box), id: idOf(box) }))
    .sort((one, other) => (one.box < other.box ? -1 : 1));
}

function serviceOf({ Labels }: Received<ContainerSummary>): string {
  return stringOf(objectOf<Record<string, string>>(Labels)[SERVICE_LABEL]);
}

function nameOf({ Names }: Received<ContainerSummary>): string {
  const [name = ''] = stringsOf(Names);
  return name.replace(/^\//, '');
}

/** The host may answer anything, and another target would be an address. */
function idOf({ Id }: Received<ContainerSummary>): string {
  const id = stringOf(Id);
  if (/^[0-9a-f]{64}$/.test(id)) return id;
  throw new A3sError('internal', 'The list of boxes has one without an id');
}
