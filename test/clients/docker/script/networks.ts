/**
 * The script's user-defined networks: their documents and refusals, and a box that is connected
 * before it runs.
 *
 * @module
 */
import type { Command } from '../transcript.ts';
import { keys, sorted } from './show.ts';

export const NETWORKS: readonly Command[] = [
  { line: 'network create --label a=b --subnet 10.77.1.0/24 --gateway 10.77.1.1 front' },
  {
    line: 'network create --internal --subnet 10.77.2.0/24 --ip-range 10.77.2.128/25 --aux-address host=10.77.2.130 back',
  },
  {
    line: "network ls --filter type=custom --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{.IPv6}}'",
    show: sorted,
  },
  { line: "network ls --filter label=a=b --format '{{.Name}}'" },
  { line: "network ls --filter name=fro --filter driver=bridge --format '{{.Name}}'" },
  { line: "network inspect --format '{{json .IPAM}}' front" },
  {
    line: "network inspect --format '{{.Internal}} {{.EnableIPv6}} {{.Attachable}} {{.Ingress}} {{json .Labels}} {{json .Options}}' front back",
  },
  { line: "network inspect --format '{{json .}}' front", show: keys },
  { line: 'network create front', code: 1, says: 'network with name front already exists' },
  { line: 'network create --subnet 10.77.1.0/25 other', code: 1, says: 'Pool overlaps' },
  { line: 'network create --subnet 10.77.1 other', code: 1 },
  { line: 'network create --driver nope other', code: 1 },
  { line: 'network create --subnet 10.77.3.0/24 --gateway 10.78.0.1 other', code: 1 },
  { line: 'network rm nowhere', code: 1, says: 'nowhere' },
  {
    line: 'create --name netted --network front --network-alias www --ip 10.77.1.9 $IMAGE sleep 1000',
  },
  { line: 'network connect --alias api back netted' },
  { line: 'network connect back nobody', code: 1, says: 'No such container: nobody' },
  {
    line: "inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' netted",
  },
  { line: "inspect --format '{{json .NetworkSettings.Networks.front.IPAMConfig}}' netted" },
  { line: "inspect --format '{{.HostConfig.NetworkMode}}' netted" },
  { line: "ps --all --filter network=front --format '{{.Names}}'" },
  { line: 'network disconnect back netted' },
  { line: 'network disconnect back netted', code: 1, says: 'is not connected to' },
  { line: 'network disconnect nowhere netted', code: 1 },
  {
    line: "inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' netted",
  },
  { line: 'rm netted' },
  { line: 'network rm front nowhere', code: 1, says: 'front' },
  { line: 'network prune --force', says: 'back' },
  { line: "network ls --filter type=custom --format '{{.Name}}'" },
  { line: 'network rm bridge', code: 1, says: 'bridge is a pre-defined network' },
];
