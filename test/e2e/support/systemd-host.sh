#!/bin/bash
# A host that systemd runs: it is process 1 of namespaces of its own. Nothing that it does reaches
# the host around it: it knows none of that one's units, and where it writes there are overlays.
# systemd-host.sh ROOT DIST: ROOT holds what outlives a reboot: var-lib, home.
set -euo pipefail
readonly root=$1 dist=$2 stage=${3:-outside}

if [ "$stage" = outside ]; then
  cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
  [ -n "$cgroups" ] || { echo 'there is no cgroup2' >&2; exit 1; }
  mkdir "$cgroups/$(basename "$root")"
  echo $$ >"$cgroups/$(basename "$root")/cgroup.procs"
  exec unshare --fork --pid --mount --cgroup --ipc --uts --mount-proc --kill-child "$0" "$root" "$dist" inside
fi

mount --make-rprivate /
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
for directory in etc usr/local var/lib; do
  layers=/run/overlay/${directory//\//-}
  mkdir -p "$layers/upper" "$layers/work"
  mount -t overlay overlay -o "lowerdir=/$directory,upperdir=$layers/upper,workdir=$layers/work" "/$directory"
done

# Only what the units need of systemd's own: others load modules and set the kernel's variables.
mkdir /run/units /run/none
for name in sysinit basic sockets timers paths slices multi-user shutdown local-fs network network-online exit; do
  cp "/usr/lib/systemd/system/$name.target" /run/units/
done
cp /usr/lib/systemd/system/systemd-exit.service /run/units/
mount --bind /run/units /usr/lib/systemd/system
mount --bind /run/none /usr/lib/systemd/system-generators
rm -rf /etc/systemd
mkdir -p /etc/systemd/system /etc/systemd/user

# An ordinary user, whose service manager no login starts here.
mkdir -p "$root/var-lib" "$root/home" /var/lib/a3s-box /run/user/64321
mount --bind "$root/var-lib" /var/lib/a3s-box
chmod 700 "$root/var-lib" /run/user/64321
chown 64321:64321 "$root/home" /run/user/64321
echo "ordinary:x:64321:64321::$root/home:/bin/sh" >>/etc/passwd
echo 'ordinary:x:64321:' >>/etc/group
cat >/etc/systemd/system/user-manager.service <<'UNIT'
[Service]
Type=notify
User=64321
Delegate=yes
Environment=XDG_RUNTIME_DIR=/run/user/64321
ExecStart=/usr/lib/systemd/systemd --user
UNIT

# As docs/boxes/systemd.md says.
cp -a "$dist" /usr/local/lib/a3s-box
ln -sf ../lib/a3s-box/a3s-box.cjs /usr/local/bin/a3s-box
install -m 644 /usr/local/lib/a3s-box/systemd/a3s-box.* /etc/systemd/system/
install -m 644 /usr/local/lib/a3s-box/systemd/user/a3s-box.* /etc/systemd/user/

exec env -i PATH="$PATH" container=test /usr/lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no
