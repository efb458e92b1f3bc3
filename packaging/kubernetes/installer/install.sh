#!/bin/sh
# install.sh HOST: installs the program and its service on the node whose root is at HOST, and has
# the node's systemd start it. What is missing on the node is named, and nothing is changed then.
set -eu
host=$1
[ "$(id -u)" = 0 ] || { echo "install.sh: it takes root" >&2; exit 1; }
on_node() { nsenter --target 1 --mount --uts --ipc --net --pid -- "$@"; }

missing=
for program in node qemu-system-x86_64 systemctl; do
  on_node sh -c 'command -v "$1" >/dev/null' sh "$program" || missing="$missing $program"
done
if [ -n "$missing" ]; then
  echo "install.sh: the node lacks:$missing; docs/platforms.md says what a host needs" >&2
  exit 1
fi

# Beside the old program first: a server that runs reads files of its own.
lib=$host/usr/local/lib
units=$host/etc/systemd/system
mkdir -p "$lib" "$host/usr/local/bin" "$units/a3s-box.service.d"
rm -rf "$lib/a3s-box.new" "$lib/a3s-box.old"
cp -a /a3s-box "$lib/a3s-box.new"
[ ! -e "$lib/a3s-box" ] || mv "$lib/a3s-box" "$lib/a3s-box.old"
mv "$lib/a3s-box.new" "$lib/a3s-box"
ln -sfn ../lib/a3s-box/a3s-box.cjs "$host/usr/local/bin/a3s-box"
install -m 644 /a3s-box/systemd/a3s-box.service /a3s-box/systemd/a3s-box.socket "$units/"
install -m 644 /installer/a3s-box-cri.conf "$units/a3s-box.service.d/cri.conf"
on_node systemctl daemon-reload
on_node systemctl enable --now a3s-box.socket
# Boxes and pods outlive a server that is replaced.
on_node systemctl restart a3s-box.service
on_node systemctl --no-pager --lines 0 status a3s-box.service
rm -rf "$lib/a3s-box.old"
