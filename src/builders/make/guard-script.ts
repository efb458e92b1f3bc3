/**
 * What bounds the steps of builds in a builder, beside the daemon: how many processes and how much
 * memory they have, and a program that ends a step which goes on at its bounds.
 *
 * @module
 */

/** Where the program is. */
export const GUARD_PATH = '/usr/lib/a3s-builder/guard';

/** What dockerd puts the control groups of all steps into. */
export const STEPS_GROUP = '/sys/fs/cgroup/docker';

/** And threads, of all steps. The box has as many again, so that the daemon can end a step. */
export const STEP_PROCESSES = 4096;

/** Of the memory, the part that is left to the daemon: one of so many. */
const DAEMON_SHARE = 8;

/** Between two looks of the program. */
export const LOOK_SECONDS = 5;

/**
 * Of the steps' group, before there is one. A step that is out of memory then never costs the
 * daemon, however small its processes are.
 */
export const BOUND_STEPS = `mkdir -p ${STEPS_GROUP}
echo ${STEP_PROCESSES} > ${STEPS_GROUP}/pids.max
awk '/^MemTotal:/ { printf "%.0f\\n", $2 * 1024 / ${DAEMON_SHARE} * ${DAEMON_SHARE - 1} }' /proc/meminfo > ${STEPS_GROUP}/memory.max`;

/**
 * Ends, with all its processes, the step that has the most of what steps were refused in each of
 * six looks: processes, or memory, for which the kernel ended some of them. A step that forks
 * without end goes on at its bound otherwise, and so does one that starts anew what the kernel
 * ends.
 *
 * The group of BuildKit's steps is no step.
 */
export const GUARD = `#!/bin/sh
guard() {
  refused=0
  looks=0
  while sleep "$seconds"; do
    before=$refused
    refused=$(sed -n "s/^$2 //p" "$1.events")
    if [ "$refused" = "$before" ]; then
      looks=0
      continue
    fi
    looks=$((looks + 1))
    [ $looks -ge 6 ] || continue
    looks=0
    most=$(grep -H . */$1.current buildkit/*/$1.current 2> /dev/null | grep -v "^buildkit/$1" | sort -t : -n -k 2 | tail -n 1)
    step=\${most%/*}
    [ -n "$step" ] || continue
    echo 1 > "$step/cgroup.kill"
    echo "a step was ended, since steps were refused $1 for six looks: $most"
  done
}
cd "$1" || exit 1
seconds=$2
guard pids max &
guard memory oom_kill
`;
