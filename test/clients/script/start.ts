/**
 * The script's beginning: an engine that has nothing yet, and its images.
 *
 * @module
 */
import type { Command } from '../transcript.ts';
import { sorted } from './show.ts';

export const SYSTEM: readonly Command[] = [
  { line: "version --format '{{.Server.Os}}/{{.Server.Arch}}'" },
  { line: "info --format '{{.OSType}} {{.NCPU}} {{.Name}}'" },
  { line: "info --format '{{.Containers}} {{.ContainersRunning}} {{.ContainersStopped}}'" },
  { line: "info --format '{{.ContainersPaused}} {{.Images}}'" },
  { line: "info --format '{{.Swarm.LocalNodeState}}'" },
  { line: 'ps' },
  { line: 'ps --all --quiet' },
  { line: 'images' },
  { line: 'images --quiet' },
  { line: "system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'" },
  { line: 'container ls --all --quiet' },
  { line: 'container prune --force' },
];

export const IMAGES: readonly Command[] = [
  // podman ends the line on the last of its words.
  { line: 'load --input $ARCHIVE', show: sorted },
  { line: "images --format '{{.Repository}}:{{.Tag}}'" },
  { line: 'images --quiet --no-trunc' },
  { line: "image inspect --format '{{.Os}}/{{.Architecture}}' $IMAGE" },
  { line: "image inspect --format '{{json .Config.Cmd}} {{json .Config.Env}}' $IMAGE" },
  { line: "image inspect --format '{{len .RootFS.Layers}} {{.RootFS.Type}}' $IMAGE" },
  { line: "image inspect --format '{{json .RepoTags}}' $IMAGE" },
  { line: 'tag $IMAGE localhost/a3s/copy:2' },
  { line: "images --format '{{.Repository}}:{{.Tag}}'", show: sorted },
  { line: "images --filter label=no-such-label --format '{{.Tag}}'" },
  { line: 'rmi localhost/a3s/copy:2' },
  { line: "images --format '{{.Repository}}:{{.Tag}}'" },
  { line: 'image inspect localhost/a3s/nobody', code: 1 },
  { line: 'rmi localhost/a3s/nobody', code: 1, says: 'No such image: localhost/a3s/nobody' },
  { line: 'tag localhost/a3s/nobody x', code: 1, says: 'No such image: localhost/a3s/nobody' },
  { line: 'image prune --force' },
  { line: 'rmi $IMAGE', show: sorted },
  { line: 'images --quiet' },
  { line: 'load --quiet --input $ARCHIVE', show: sorted },
];
