/**
 * What bounds the steps of builds in a builder, beside the daemon: how many processes and how much
 * memory they have, and a program that ends a step which goes on at its bounds.
 *
 * @module
 */

/** Where the program is. */
export const GUARD_PATH = '/usr/lib/a3s-builder/guard';

/**
 * Where the daemon makes the control groups of all steps: in `docker`, and in whatever a client's
 * own build definition names.
 */
export const STEPS_GROUP = '/sys/fs/cgroup';

/** What that shows: a group that bounds all groups in it. */
const BOUNDED = '/sys/fs/cgroup/steps';

/** And threads, of all steps. The box has as many again, so that the daemon can end a step. */
export const STEP_PROCESSES = 4096;

/** Of the memory, the part that is left to the daemon: one of so many. */
const DAEMON_SHARE = 8;

/** Between two looks of the program. */
export const LOOK_SECONDS = 5;

/**
 * Before there is a step. One that is out of memory then never costs the daemon, however small its
 * processes are. What starts afterwards finds no other groups.
 */
export const BOUND_STEPS = `mkdir -p ${BOUNDED}/docker
echo "+$(sed 's/ / +/g' ${BOUNDED}/cgroup.controllers)" > ${BOUNDED}/cgroup.subtree_control
echo ${STEP_PROCESSES} > ${BOUNDED}/pids.max
awk '/^MemTotal:/ { printf "%.0f\\n", $2 * 1024 / ${DAEMON_SHARE} * ${DAEMON_SHARE - 1} }' /proc/meminfo > ${BOUNDED}/memory.max
mount -o bind ${BOUNDED} ${STEPS_GROUP}`;

/**
 * Ends, with all its processes, the step that has the most of what steps were refused in each of
 * six looks: processes, or memory, for which the kernel ended some of them. A step that forks
 * without end goes on at its bound otherwise, and so does one that starts anew what the kernel
 * ends.
 *
 * The groups of dockerd's and of BuildKit's steps are no steps. Any other one counts as a step,
 * with all groups in it.
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
    most=$(grep -H . */$1.current docker/*/$1.current docker/buildkit/*/$1.current 2> /dev/null | grep -v -e "^docker/$1" -e "^docker/buildkit/$1" | awk -F : '{ print $NF, $0 }' | sort -n | tail -n 1)
    most=\${most#* }
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
