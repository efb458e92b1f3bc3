# The steps of setup.sh. A step is two functions: NAME_done tells whether there is nothing to do,
# and the one that does it. Sourced, not run.

RUN_PACKAGES=(
  g++ make python3             # better-sqlite3 is compiled here
  golang-go                    # the guest agent, unless A3S_GO names another Go
  xz-utils zstd gzip           # the kernel package is unpacked, archives are read
  nasm acpica-tools uuid-dev patch   # the firmware of confidential boxes is compiled here
  qemu-system-x86 seabios      # the virtual machine monitor
  passt virtiofsd              # networks and bind mounts
  netavark aardvark-dns nftables iproute2   # user-defined networks
  e2fsprogs                    # writable disks
  bubblewrap util-linux        # jails
  busybox-static ca-certificates
)
TEST_PACKAGES=(apparmor buildah chromium containernetworking-plugins git ovmf openssl cosign cryptsetup-bin dbus docker-registry erofs-utils go-staticcheck golang-google-grpc-dev inotify-tools libpam-systemd mmdebstrap kubectl skopeo umoci docker-buildx docker-cli docker-compose docker.io podman runc postgresql procps softhsm2 strace systemd qemu-utils)

# What runs boxes of linux/arm64.
ARM64_PACKAGES=(qemu-system-arm)

# Services that those packages bring and start. The tests start their own, out of sight of any
# other.
UNWANTED_SERVICES=(docker.io:docker.socket docker.io:docker.service containerd:containerd.service postgresql-common:postgresql.service)

# There while systemd is process 1.
RUNNING_SYSTEMD=/run/systemd/system
UNITS=/usr/lib/systemd/system
# Where a unit of somebody else's may be, with that of packages.
OTHER_UNITS=(/etc/systemd/system /lib/systemd/system)
INIT_SCRIPTS=/etc/init.d
STATE=build/setup

fail() { # MESSAGE REMEDY
  printf 'a3s-box: %s\n%s\n' "$1" "$2" >&2
  exit 1
}

# Two set-ups at once would build into the same files.
lock_setup() {
  mkdir -p "$STATE" 2>/dev/null && [ -w "$STATE" ] ||
    fail "Cannot write to $PWD/build." 'Run this as the owner of the checkout, or clone it to a place of your own.'
  exec 9>"$STATE/lock"
  flock -n 9 || fail 'Another set-up of this checkout is running.' 'Wait until it is done and run this again.'
  trap interrupted INT TERM
  # Of a run that was killed.
  release_held_services
}

interrupted() {
  trap '' INT TERM
  release_held_services
  printf '\na3s-box: interrupted; run the same command again to go on from here.\n' >&2
  exit 130
}

check_machine() {
  [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
    fail "Cannot set up on $(uname -s) $(uname -m): guests are built for x86-64 Linux." 'Use an x86-64 Debian 13 machine.'
  command -v node >/dev/null && command -v npm >/dev/null ||
    fail 'Cannot find node and npm.' 'Install Node 20: apt-get install nodejs npm.'
  node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||(a===20&&b>=19)?0:1)' ||
    fail "Cannot use Node $(node --version): 20.19 or newer is needed." 'Install a newer Node 20.'
}

# Ten seconds of work deserve a line; a step without work is silent.
step() { # NAME TITLE FUNCTION
  "${1}_done" && return 0
  need_disk
  printf '==> %s …\n' "$2"
  local started=$SECONDS
  "$3"
  printf '    done in %d s\n' $((SECONDS - started))
}

# A kernel, a compiler and node_modules take about two gigabytes.
need_disk() {
  [ "${disk_checked:-no}" = yes ] && return 0
  local free
  free=$(df --output=avail -k . | tail -n 1)
  [ "$free" -ge 3000000 ] ||
    fail "Too little disk: $((free / 1024)) MiB are free in $PWD, and 3000 MiB are needed." 'Free some space and run this again.'
  disk_checked=yes
}

run_logged() { # LOG COMMAND…: shows what goes wrong, not what goes well
  local log=$STATE/$1.log
  shift
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    return 1
  fi
}

wanted_packages() {
  # The agent's tests and checks run with Debian's Go, whatever compiles it.
  printf '%s\n' "${RUN_PACKAGES[@]}"
  if [ "$with_tests" = yes ]; then printf '%s\n' "${TEST_PACKAGES[@]}" | unless_docker_is_there; fi
  if [ "${with_arm64:-no}" = yes ]; then printf '%s\n' "${ARM64_PACKAGES[@]}"; fi
  # Without the headers of this very Node, the add-on cannot be compiled.
  if ! node_headers >/dev/null; then echo libnode-dev; fi
}

# A docker-ce brings what the tests need of these, and conflicts with them.
DOCKER_PROGRAMS=(docker.io:dockerd docker-cli:docker runc:runc docker-buildx:/usr/libexec/docker/cli-plugins/docker-buildx docker-compose:/usr/libexec/docker/cli-plugins/docker-compose)

unless_docker_is_there() {
  local each had=()
  if command -v dockerd >/dev/null; then
    for each in "${DOCKER_PROGRAMS[@]}"; do
      # One that an interrupted set-up has unpacked is still to be configured.
      if command -v "${each##*:}" >/dev/null && ! is_half_installed "${each%%:*}"; then had+=(-e "${each%%:*}"); fi
    done
  fi
  if [ ${#had[@]} -gt 0 ]; then grep -vxF "${had[@]}"; else cat; fi
}

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u)
  comm -13 <(echo "$installed") <(wanted_packages | sort -u)
}

packages_done() {
  command -v dpkg-query >/dev/null ||
    fail 'Cannot install packages: this is not a Debian system (no dpkg).' 'Use a Debian 13 machine.'
  [ -z "$(missing_packages)" ]
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ "$(id -u)" = 0 ] ||
    fail "Cannot install Debian packages without root: ${missing[*]} are missing." "Run as root, once: apt-get install --no-install-recommends ${missing[*]}"
  command -v apt-get >/dev/null ||
    fail 'Cannot install packages: apt-get is missing.' 'Use a Debian 13 machine.'
  printf '    %s\n' "${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local services status=0
  mapfile -t services < <(services_to_come)
  hold_services "${services[@]}"
  # An installation that was interrupted is completed first.
  run_logged dpkg dpkg --configure -a ||
    release_and_fail 'Cannot complete an interrupted package installation.' 'Run: dpkg --configure -a'
  run_logged apt-update apt-get update -q -o DPkg::Lock::Timeout=300 ||
    release_and_fail 'Cannot read the package lists: the package archive does not answer.' 'Check the network and /etc/apt/sources.list.d, then run this again.'
  # What is there stays: a docker-ce, for example, is not to make room for docker.io.
  run_logged apt-install apt-get install -q -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 "${missing[@]}" || status=$?
  release_held_services
  [ "$status" = 0 ] || fail 'Cannot install the Debian packages.' "Read $STATE/apt-install.log, mend it, and run this again."
}

release_and_fail() { # MESSAGE REMEDY
  release_held_services
  fail "$@"
}

package_status() { # PACKAGE
  dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true
}

# Of packages that are not installed yet, and that nothing else, such as docker-ce, has brought: who
# has docker or containerd uses it, and nothing of it is touched.
services_to_come() {
  local each
  for each in "${UNWANTED_SERVICES[@]}"; do
    if [ "$(package_status "${each%%:*}")" = installed ]; then continue; fi
    if is_unfinished "$each" || ! service_is_there "${each##*:}"; then echo "$each"; fi
  done
}

service_is_there() { # SERVICE
  local each
  for each in "$UNITS" "${OTHER_UNITS[@]}"; do
    # A link to nothing, or to /dev/null, is somebody's too.
    if [ -e "$each/$1" ] || [ -L "$each/$1" ]; then return 0; fi
  done
  [ -e "$INIT_SCRIPTS/${1%.*}" ]
}

# Whether a set-up that was interrupted has brought it, and its package is not configured yet.
is_unfinished() { # PACKAGE:SERVICE
  grep -qsxF "$1" "$STATE/unfinished-services" && is_half_installed "${1%%:*}"
}

is_half_installed() { # PACKAGE
  case "$(package_status "$1")" in
    '' | not-installed | config-files | installed) return 1 ;;
  esac
}

# Masks that a reboot takes away. What is held is on record before it is, so that an interruption or
# the next run releases it. Without systemd nothing starts them but init scripts, which
# release_services ends.
hold_services() { # PACKAGE:SERVICE…
  [ $# -gt 0 ] || return 0
  printf '%s\n' "$@" >"$STATE/held-services.new"
  mv "$STATE/held-services.new" "$STATE/held-services"
  if [ -d "$RUNNING_SYSTEMD" ]; then systemctl --quiet --runtime mask "${@##*:}"; fi
}

release_held_services() {
  [ -e "$STATE/held-services" ] && [ "$(id -u)" = 0 ] || return 0
  local held each
  mapfile -t held <"$STATE/held-services"
  release_services "${held[@]}"
  # dpkg would enable these when it configures them.
  for each in "${held[@]}"; do
    if is_half_installed "${each%%:*}"; then echo "$each"; fi
  done >"$STATE/unfinished-services"
  rm "$STATE/held-services"
}

# Installed, and neither running nor started by a reboot.
release_services() { # PACKAGE:SERVICE…
  local each package
  for each in "$@"; do
    package=${each%%:*} each=${each##*:}
    if [ -d "$RUNNING_SYSTEMD" ]; then systemctl --quiet --runtime unmask "$each"; fi
    # Not there where the installation failed; and what is there without it is somebody else's.
    case "$(package_status "$package")" in '' | not-installed | config-files) continue ;; esac
    if [ ! -d "$RUNNING_SYSTEMD" ] && [ -x "$INIT_SCRIPTS/${each%.service}" ]; then invoke-rc.d --quiet "${each%.service}" stop; fi
    # It refuses to work for anyone who does not say that dpkg is calling.
    if [ -e "$UNITS/$each" ]; then DPKG_MAINTSCRIPT_PACKAGE=$package deb-systemd-helper disable "$each"; fi
    if [ -x "$INIT_SCRIPTS/${each%.service}" ]; then update-rc.d "${each%.service}" disable; fi
  done
}

# The directory above include/node, for node-gyp.
node_headers() {
  local prefix
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  if [ -f "$prefix/include/node/node.h" ]; then echo "$prefix"
  elif [ -f /usr/include/node/node.h ]; then echo /usr
  elif [ -f /usr/include/nodejs/src/node.h ]; then echo /usr/include/nodejs
  else return 1; fi
}

npm_key() {
  { node --version; cat package-lock.json; } | sha256sum
}

npm_done() { [ "$(cat node_modules/.a3s-box-installed 2>/dev/null)" = "$(npm_key)" ]; }

# Install scripts stay off.
install_npm() {
  run_logged npm-ci npm ci --no-audit --no-fund ||
    fail 'Cannot install the npm packages.' "Check the network (npm ping), read $STATE/npm-ci.log, and run this again."
  npm_key >node_modules/.a3s-box-installed
}

# npm ci leaves none.
addon_done() { load_addon 2>/dev/null; }

load_addon() { node -e 'new (require("better-sqlite3"))(":memory:").close()'; }

# The one add-on that needs compiling is compiled from the source in its package, not downloaded.
build_addon() {
  if take_addon; then return 0; fi
  CFLAGS=$ADDON_FLAGS npm_config_nodedir=$(node_headers) npm_config_build_from_source=true \
    run_logged npm-rebuild npm rebuild better-sqlite3 --ignore-scripts=false ||
    fail 'Cannot compile better-sqlite3.' "Read $STATE/npm-rebuild.log, mend it, and run this again."
  load_addon ||
    fail 'Cannot load better-sqlite3 after compiling it.' 'Remove node_modules and run this again.'
  keep_addon
}

fuzzer_key() {
  { node --version; cat test/fuzz/guided/package-lock.json; } | sha256sum
}

fuzzer_done() { [ "$(cat test/fuzz/guided/node_modules/.a3s-box-installed 2>/dev/null)" = "$(fuzzer_key)" ]; }

# A tree of its own: it is larger than all that the product needs.
install_fuzzer() {
  run_logged fuzzer npm ci --prefix test/fuzz/guided --ignore-scripts --no-audit --no-fund ||
    fail 'Cannot install the fuzzer.' "Check the network (npm ping), read $STATE/fuzzer.log, and run this again."
  fuzzer_key >test/fuzz/guided/node_modules/.a3s-box-installed
}

databases_key() { cat test/images/database-image.ts test/debian/apt.ts | sha256sum; }

databases_done() {
  [ -d build/cache/debian/trixie/databases ] && [ "$(cat "$STATE/databases" 2>/dev/null)" = "$(databases_key)" ]
}

# The packages of other suites beside it are kept.
make_databases() {
  rm -rf build/cache/debian/trixie/databases
  run_logged databases node --import tsx scripts/make-database-layers.ts ||
    fail 'Cannot make the image of the databases.' "Check the network, read $STATE/databases.log, and run this again."
  databases_key >"$STATE/databases"
}

# Newer than its mark: any file, or any directory that lost or gained one. Nothing is built from the
# runner of the tests.
unchanged_since() { # MARK PATH…
  local mark=$1
  shift
  [ -f "$mark" ] && [ -z "$(find "$@" -path scripts/test -prune -o -newer "$mark" -print -quit 2>/dev/null)" ]
}

bundles_done() { unchanged_since "$STATE/bundles" src policies/src attestation/src ratls/src sealing/src scripts packaging test/images package-lock.json; }

build_bundles() {
  touch "$STATE/bundles.new"
  run_logged bundles node scripts/build.mjs || fail 'Cannot build the bundles.' "Read $STATE/bundles.log."
  mv "$STATE/bundles.new" "$STATE/bundles"
}

# Its tools are looked at when the boot artefacts are made; this is its own step since it takes
# minutes.
firmware_done() { unchanged_since "$STATE/firmware" src/boot/firmware.ts src/boot/firmware-source.ts native/firmware; }

build_firmware() {
  touch "$STATE/firmware.new"
  take_kept
  node build/build-boot.cjs --firmware-only || fail 'Cannot make the firmware.' 'Read the lines above, mend it, and run this again.'
  mv "$STATE/firmware.new" "$STATE/firmware"
  keep
}

go_key() { GOTOOLCHAIN=local "${A3S_GO:-go}" version 2>&1; }

# What a first plain box boots from, before minutes go by with the firmware.
plain_boot_done() {
  boot_done || { [ -f dist/boot/boot.json ] && [ "$(cat "$STATE/boot.go" 2>/dev/null)" = "$(go_key)" ] &&
    unchanged_since "$STATE/plain-boot" native/agent src/boot scripts; }
}

build_plain_boot() {
  touch "$STATE/plain-boot.new"
  # The set that was whole is not any more.
  rm -f "$STATE/boot"
  take_kept
  node build/build-boot.cjs --plain || fail 'Cannot make the boot artefacts.' 'Read the lines above, mend it, and run this again.'
  go_key >"$STATE/boot.go"
  mv "$STATE/plain-boot.new" "$STATE/plain-boot"
  keep
}

boot_done() {
  [ -f dist/boot/boot.json ] && [ "$(cat "$STATE/boot.go" 2>/dev/null)" = "$(go_key)" ] &&
    unchanged_since "$STATE/boot" native/agent native/firmware src/boot scripts
}

build_boot() {
  touch "$STATE/boot.new"
  take_kept
  node build/build-boot.cjs || fail 'Cannot make the boot artefacts.' 'Read the lines above, mend it, and run this again.'
  go_key >"$STATE/boot.go"
  mv "$STATE/boot.new" "$STATE/boot"
  keep
}

# Beside the set of this machine's architecture, and never part of it.
arm64_boot_done() {
  [ -f dist/boot-arm64/boot.json ] && [ "$(cat "$STATE/arm64-boot.go" 2>/dev/null)" = "$(go_key)" ] &&
    unchanged_since "$STATE/arm64-boot" native/agent src/boot scripts/build-boot.ts scripts/setup-steps.sh
}

build_arm64_boot() {
  touch "$STATE/arm64-boot.new"
  node build/build-boot.cjs --platform linux/arm64 || fail 'Cannot make the boot artefacts of linux/arm64.' 'Read the lines above, mend it, and run this again.'
  go_key >"$STATE/arm64-boot.go"
  mv "$STATE/arm64-boot.new" "$STATE/arm64-boot"
  keep
}

builder_done() { [ -f dist/builder/builder.json ] && unchanged_since "$STATE/builder" src/builders/make src/builders/ports.ts scripts/build-builder.ts; }

# What docker build runs in, of 80 MB of packages.
build_builder() {
  touch "$STATE/builder.new"
  node build/build-builder.cjs || fail 'Cannot make the builder.' 'Read the lines above, mend it, and run this again.'
  mv "$STATE/builder.new" "$STATE/builder"
}

finish_setup() {
  trap - INT TERM
  exec 9>&-
}
