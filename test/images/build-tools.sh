#!/bin/sh
# Plays toolchains for test/dockerfiles: what these commands read and write is where the real ones
# do it, and none of them compiles. cc (tcc), make, python3 and node of the image are real.
set -e

# A program that says what it was made of: built FILE SOURCE...
built() {
  out=$1
  shift
  mkdir -p "$(dirname "$out")"
  { echo '#!/bin/sh'; echo "# $facts"; cat "$@" | sed 's/^/# /'; } > "$out"
  chmod 755 "$out"
}

named() { sed -n "$1" "$2" | head -n 1; }

facts=
case $(basename "$0") in
  go)
    modules=/root/go/pkg/mod/cache
    case $1 in
      mod) mkdir -p $modules && sed -n 's/^require //p' go.mod > $modules/list ;;
      test) echo "ok $(named 's/^module //p' go.mod)" ;;
      build)
        shift
        out=app
        while [ $# -gt 1 ]; do
          case $1 in
            -o) out=$2; shift 2 ;;
            -ldflags) facts="$facts $2"; shift 2 ;;
            *) shift ;;
          esac
        done
        facts="$facts ${GOOS:-host}/${GOARCH:-host} $(cat $modules/list 2> /dev/null || :)"
        built "$out" "${1:-.}"/*.go
        ;;
    esac
    ;;
  cargo)
    name=$(named 's/^name = "\(.*\)"/\1/p' Cargo.toml)
    facts="$*"
    mkdir -p /root/.cargo/registry && touch /root/.cargo/registry/index
    built "target/release/$name" src/*.rs
    ;;
  mvn)
    mkdir -p /root/.m2
    case "$*" in *go-offline*) exit 0 ;; esac
    built "target/$(named 's/.*<artifactId>\(.*\)<\/artifactId>.*/\1/p' pom.xml).jar" src/main/java/*
    ;;
  gradle)
    mkdir -p /root/.gradle && touch /root/.gradle/known
    [ "$1" = bootJar ] || exit 0
    built "build/libs/$(named "s/.*name = '\(.*\)'/\1/p" settings.gradle).jar" src/main/java/*
    ;;
  pip)
    to=/usr/local/lib/python3/site-packages
    action=$1
    shift
    while [ $# -gt 0 ]; do
      case $1 in
        --prefix=*) to=${1#--prefix=}/lib/python3/site-packages ;;
        -w) to=$2; shift ;;
        -r) list=$2; shift ;;
      esac
      shift
    done
    mkdir -p "$to" /root/.cache/pip
    while IFS='=' read -r name _ version; do
      case $action in
        wheel) echo "$name $version" > "$to/$name-$version.whl" ;;
        *) echo "version = '$version'" > "$to/$name.py" ;;
      esac
    done < "$list"
    ;;
  npm)
    case "$1 $2" in
      'run build') exec node -e "eval(require('./package.json').scripts.build)" ;;
    esac
    mkdir -p /root/.npm
    OMIT="$2" exec node -e '
      const { dependencies = {}, devDependencies = {} } = require("./package.json");
      const wanted = process.env.OMIT === "--omit=dev" ? dependencies
        : { ...dependencies, ...devDependencies };
      for (const [name, version] of Object.entries(wanted)) {
        require("fs").mkdirSync(`node_modules/${name}`, { recursive: true });
        require("fs").writeFileSync(`node_modules/${name}/index.js`, `// ${name}@${version}\n`);
      }'
    ;;
esac
