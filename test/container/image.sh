#!/usr/bin/env bash
# Builds the image of the Dockerfile without a container engine (buildah, chroot), and tests it as it is to be run: read-only root,
# uid 1000, no capabilities, the data folder alone writable, against a real RabbitMQ. Needs root, Go, a Rust toolchain
# and Debian's packages.
# usage: test/container/image.sh [ARGUMENT OF VITEST...]
# BASE and RUST in the environment name other images to start from, such as the Dockerfile's own where a registry can be reached.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -e dist/cli.js ] || {
  echo "dist/cli.js is missing: run npm ci first"
  exit 1
}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/deadwax-test/container
tag=localhost/deadwax:test

command -v buildah >/dev/null && command -v debootstrap >/dev/null || {
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq -o DPkg::Lock::Timeout=300 update
  apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends buildah debootstrap >/dev/null
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # one build at a time in this store
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs CONTAINERS_STORAGE_CONF=$cache/storage.conf
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$cache/storage" "$cache/run" >"$CONTAINERS_STORAGE_CONF"
# A build that is broken off leaves containers; nobody else has any in this store.
clean() { buildah rm --all >/dev/null && buildah rmi --prune >/dev/null; }
clean
trap clean EXIT
if [ -z "${BASE:-}" ]; then
  BASE=localhost/deadwax-base-node22:1 RUST=localhost/deadwax-rust:1
  test/container/base.sh "$cache" "$BASE" "$RUST"
fi

# What Compose makes of our files is asked of the library that Compose is made of.
compose_go=v2.16.2
export TEST_COMPOSE=$cache/compose-go-$compose_go
[ -x "$TEST_COMPOSE" ] || {
  command -v go >/dev/null || {
    echo "go is missing: install Go 1.24 or newer"
    exit 1
  }
  GOBIN=$cache/go go install "github.com/compose-spec/compose-go/v2/cmd@$compose_go"
  mv "$cache/go/cmd" "$TEST_COMPOSE"
}

started=$SECONDS
version=$(node -p 'require("./package.json").version')
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
buildah build --layers=false --format docker --network host --build-arg "BASE=$BASE" ${RUST:+--build-arg "RUST=$RUST"} \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --tag "$tag" . >"$cache/build.log" 2>&1 || {
  tail -n 60 "$cache/build.log"
  echo "the image cannot be built"
  exit 1
}
echo "image built in $((SECONDS - started)) s"

base=$(buildah from "$BASE")
container=$(buildah from "$tag")
TEST_IMAGE_CONFIG=$(mktemp)
buildah inspect --type image "$tag" >"$TEST_IMAGE_CONFIG"
TEST_IMAGE_ROOT=$(buildah mount "$container")
TEST_IMAGE_BASE=$(buildah mount "$base")
export TEST_IMAGE_CONFIG TEST_IMAGE_ROOT TEST_IMAGE_BASE
npx vitest run --config test/container/vitest.config.ts "$@" 9>&-
