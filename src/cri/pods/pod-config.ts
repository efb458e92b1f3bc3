/**
 * The configuration of a pod, as kubelet sends it, as the request for one.
 *
 * @module
 */
import { isIPv4 } from 'node:net';
import { isAbsolute } from 'node:path';
import { checkLeadOnce } from '../../boxes/spec/asked-ports.ts';
import type { PodRequest } from '../../pods/launch/pod-request.ts';
import type { PodPort } from '../../pods/record/pod.ts';
import { Protocol } from '../api/enums.ts';
import type * as cri from '../api/messages.ts';
import { expectHandler, expectNoOptions, teeOf } from '../handlers.ts';
import { invalid, quoted, unsupported } from '../refusal.ts';
import { askedLimits, nanoCpusOf } from '../security/limits.ts';
import { checkNamespaces, podPidsOf } from '../security/namespaces.ts';
import { confidentialPod } from './confidential-pod.ts';

const HOSTNAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,62})$/;
/** Of a pod that has no host name, and whose name is none. */
const ANY_HOSTNAME = 'pod';

const DOMAIN = /^[A-Za-z0-9._-]{1,253}$/;
const OPTION = /^[A-Za-z0-9:._-]{1,64}$/;
const MOST_SERVERS = 16;
const MOST_WORDS = 32;

/** @throws A3sError `invalid-argument`, `unsupported-option` with the field */
export function podRequest({ config, runtimeHandler }: cri.RunPodSandboxRequest): PodRequest {
  if (config?.metadata === undefined) throw invalid('config.metadata', 'it is missing');
  expectHandler('runtime_handler', runtimeHandler);
  const tee = teeOf(runtimeHandler);
  if (tee === undefined) expectNoOptions(config.annotations);
  const { name, uid, namespace, attempt } = config.metadata;
  if (name === '') throw invalid('config.metadata.name', 'it is empty');
  const { securityContext, sysctls = {}, resources } = config.linux ?? {};
  checkNamespaces(securityContext?.namespaceOptions, 'linux.security_context');
  const pids = podPidsOf(securityContext?.namespaceOptions);
  const limits = askedLimits(resources);
  const size = { memoryBytes: limits.memoryLimitInBytes, nanoCpus: nanoCpusOf(limits) };
  const { logDirectory } = config;
  if (logDirectory !== '' && !isAbsolute(logDirectory)) {
    throw invalid('config.log_directory', `${quoted(logDirectory)} is not an absolute path`);
  }
  const hostname = hostnameOf(config.hostname, name);
  const names = { ...namesOf(config.dnsConfig), hosts: [] };
  const privileged = securityContext?.privileged === true;
  const confidential =
    tee === undefined
      ? {}
      : confidentialPod(tee, config.annotations, {
          ...{ hostname, names, sysctls, privileged, pids },
          ...size,
        });
  return {
    metadata: { name, uid, namespace, attempt },
    labels: { ...config.labels },
    annotations: { ...config.annotations },
    ...{ runtimeHandler, logDirectory },
    ...{ hostname, names, privileged, pids },
    network: 'default',
    ports: portsOf(config.portMappings),
    sysctls: { ...sysctls },
    ...size,
    ...confidential,
  };
}

function hostnameOf(asked: string, name: string): string {
  if (asked === '') return HOSTNAME.test(name) ? name : ANY_HOSTNAME;
  if (HOSTNAME.test(asked)) return asked;
  throw invalid('config.hostname', `${quoted(asked)} is not a host name`);
}

/** Nothing that is left out is taken from the node: a guest has a resolver of its network. */
function namesOf(asked: cri.DNSConfig | undefined): Omit<PodRequest['names'], 'hosts'> {
  const { servers = [], searches = [], options = [] } = asked ?? {};
  const other = servers.find((server) => !isIPv4(server));
  if (other !== undefined) {
    throw unsupported('dns_config.servers', `${quoted(other)} is not an IPv4 address`);
  }
  if (servers.length > MOST_SERVERS) throw invalid('dns_config.servers', 'they are too many');
  checkWords('dns_config.searches', searches, DOMAIN);
  checkWords('dns_config.options', options, OPTION);
  return { servers: [...servers], search: [...searches], options: [...options] };
}

function checkWords(field: string, words: readonly string[], form: RegExp): void {
  if (words.length > MOST_WORDS) throw invalid(field, 'they are too many');
  const malformed = words.find((word) => word !== '.' && !form.test(word));
  if (malformed !== undefined) throw invalid(field, `${quoted(malformed)} is malformed`);
}

/** Those that lead to a port of the node: others are open within the pod's network anyway. */
function portsOf(asked: readonly cri.PortMapping[]): PodPort[] {
  const ports = asked
    .filter(({ hostPort }) => hostPort !== 0)
    .map(({ protocol, containerPort, hostPort, hostIp }): PodPort => {
      if (protocol !== Protocol.TCP && protocol !== Protocol.UDP) {
        throw unsupported('port_mappings.protocol', 'ports are of TCP or UDP');
      }
      for (const port of [containerPort, hostPort]) {
        if (port < 1 || port > 65_535) throw invalid('port_mappings', `${port} is no port`);
      }
      if (hostIp !== '' && !isIPv4(hostIp)) {
        throw unsupported('port_mappings.host_ip', `${quoted(hostIp)} is not an IPv4 address`);
      }
      const kind = protocol === Protocol.TCP ? 'tcp' : 'udp';
      return { boxPort: containerPort, protocol: kind, hostIp, hostPort };
    });
  checkLeadOnce(ports);
  return ports;
}
