# What set-up keeps for other checkouts of the same user, below ~/.cache/a3s-box: what takes minutes
# to make or to download, and is the same for all of them. Everything is named by what it was made
# of, or checked by its digest where it is used; a file that is gone is made again. Sourced, not
# run.
#
# A3S_SETUP_CACHE=DIR is another place; A3S_SETUP_CACHE=off keeps and takes nothing.

# What nothing has asked for so long is removed.
KEPT_DAYS=60
# Of build/cache: sources of the firmware, the firmware and its digest, kernel packages by digest.
KEPT_FILES=('edk2_*.tar.xz' 'firmware-*.fd' 'firmware-*.sha256' '*.deb')

# The directory, or nothing where it is not this user's alone: what others can write is not run.
kept_directory() {
  local place=${A3S_SETUP_CACHE:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/a3s-box}
  case "$place" in /*) ;; *) return 1 ;; esac
  mkdir -p -m 700 "$place" 2>/dev/null || return 1
  [ -O "$place" ] && [ ! -L "$place" ] && [ -w "$place" ] || return 1
  [ -z "$(find "$place" -maxdepth 0 -perm /022)" ] || return 1
  echo "$place"
}

# Whole or not there at all, also where another set-up does the same. What cannot be copied, such as
# for lack of disk, is made again by who needs it: that ends no set-up.
put_kept() { # FILE PLACE
  [ ! -e "$2" ] || return 0
  mkdir -p "$(dirname "$2")"
  if cp "$1" "$2.$$" && mv "$2.$$" "$2"; then return 0; fi
  rm -f "$2.$$"
}

# Into build/cache, before firmware and boot artefacts are made.
take_kept() {
  local kept pattern file
  kept=$(kept_directory) || return 0
  mkdir -p build/cache "$kept/files" "$kept/addon" "$kept/go"
  find "$kept/files" "$kept/addon" -type f -mtime "+$KEPT_DAYS" -delete
  for pattern in "${KEPT_FILES[@]}"; do
    # A pattern, which is not to be quoted.
    for file in "$kept/files"/$pattern; do
      [ -f "$file" ] || continue
      touch "$file"
      put_kept "$file" "build/cache/${file##*/}"
    done
  done
  # Go's own cache, which several compilers may use at once.
  [ -e build/cache/go ] || ln -sfn "$kept/go" build/cache/go
}

keep() {
  local kept pattern file
  kept=$(kept_directory) || return 0
  for pattern in "${KEPT_FILES[@]}"; do
    for file in build/cache/$pattern; do
      if [ -f "$file" ]; then put_kept "$file" "$kept/files/${file##*/}"; fi
    done
  done
}

ADDON=node_modules/better-sqlite3/build/Release/better_sqlite3.node
# SQLite's own default: -O3, as the package has it, compiles for a third longer.
ADDON_FLAGS=-O2

# Of what the add-on is compiled: its package, Node and its headers, the compiler.
addon_key() {
  {
    node -p '[process.version, process.versions.modules, process.arch].join()'
    node -p 'const { version, integrity } = require("./package-lock.json").packages["node_modules/better-sqlite3"]; [version, integrity].join()'
    g++ --version
    echo "$ADDON_FLAGS"
  } | sha256sum | cut -c 1-64
}

# Whether the add-on that was kept is in its place, and loads.
take_addon() {
  local kept file
  kept=$(kept_directory) && file=$kept/addon/$(addon_key).node && [ -f "$file" ] || return 1
  touch "$file"
  mkdir -p "$(dirname "$ADDON")"
  rm -f "$ADDON"
  cp "$file" "$ADDON" && load_addon 2>/dev/null && return 0
  rm -f "$ADDON" "$file"
  return 1
}

keep_addon() {
  local kept
  if kept=$(kept_directory); then put_kept "$ADDON" "$kept/addon/$(addon_key).node"; fi
}
