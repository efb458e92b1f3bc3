#!/usr/bin/env bash
# Builds the firmware of confidential boxes: modules of Debian's edk2 as modules.txt lists them, and
# two of our own. The build writes its own path into the firmware, so it runs at one that is the
# same everywhere: in a mount namespace, where the work directory lies over /mnt. Run by
# src/boot/firmware.ts.
#
#   unshare --mount build.sh WORK LOG ORIG.tar.xz DEBIAN.tar.xz
#
# leaves the firmware at WORK/OVMF.fd. Tools come from Debian, whatever else the caller's PATH has.
set -euo pipefail
work=$1 log=$2 orig=$3 debian=$4
here=/mnt

# Nothing of the caller's environment reaches the build.
if [ "${FIRMWARE_BUILD:-}" != clean ]; then
  exec env -i FIRMWARE_BUILD=clean PATH=/usr/bin:/bin HOME="$here" LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=0 \
    PYTHON_COMMAND=/usr/bin/python3 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 bash "$0" "$@"
fi
umask 022
exec 5>&2 >"$log" 2>&1
trap 'tail -n 15 "$log" >&5' ERR

echo unpacking
mkdir "$work/source"
tar -xJ --no-same-owner -C "$work/source" --strip-components=1 <"$orig"
tar -xJ --no-same-owner -C "$work/source" <"$debian"
cp -r "$(dirname "$0")" "$work/source/A3sBox"
mount --bind "$work" "$here"
cd "$here/source"
while read -r patch _; do
  case $patch in '' | '#'*) continue ;; esac
  patch --batch --forward --quiet --fuzz=0 -p1 <"debian/patches/$patch"
done <debian/patches/series

echo patching
for patch in A3sBox/patches/*.patch; do
  # edk2's lines end as DOS has them, and ours do not.
  sed -n 's,^+++ b/,,p' "$patch" | xargs sed -i 's/\r$//'
  # A change that edk2 has by itself fails as well: without --forward it would be undone.
  patch --batch --forward --quiet --fuzz=0 -p1 <"$patch"
done

echo describing the platform
python3 A3sBox/platform.py . A3sBox/modules.txt
(cd A3sBox/AcpiDxe && iasl -p Dsdt -tc Dsdt.asl)

echo compiling the build tools
make -s -j"$(nproc)" -C BaseTools

echo compiling the firmware
set --   # edksetup.sh reads them
set +u
. ./edksetup.sh
set -u
build -q -a X64 -t GCC5 -b RELEASE -n "$(nproc)" -p OvmfPkg/AmdSev/A3sBox.dsc

echo checking what came out
python3 A3sBox/contents.py . A3sBox/modules.txt Build/AmdSev/RELEASE_GCC5/FV/OVMF.fd
cp Build/AmdSev/RELEASE_GCC5/FV/OVMF.fd "$here/OVMF.fd"
echo done
