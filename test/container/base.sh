#!/usr/bin/env bash
# Makes the two images that the Dockerfile starts from, on a machine that reaches no registry of images: Debian and Node as in
# node:22-bookworm-slim, and this machine's Rust toolchain where rust:slim has its own. Done once; they stay in the store.
# usage: base.sh CACHE BASE RUST    CACHE is a folder, BASE and RUST are the names to give; buildah's settings are in the environment
set -euo pipefail
cache=$1 base=$2 rust=$3
NODE_RELEASE=22
DEBIAN=bookworm

make_base() {
  local work rootfs
  work=$(mktemp -d "$cache/base.XXXXXX")
  rootfs=$work/rootfs
  debootstrap --variant=minbase --include=ca-certificates "$DEBIAN" "$rootfs" >"$work/debootstrap.log" 2>&1 || {
    tail -n 20 "$work/debootstrap.log" >&2
    return 1
  }
  # The npm package of that name carries the published binary.
  (cd "$work" && npm pack --silent "node-linux-$(node -p process.arch)@$NODE_RELEASE" >/dev/null && mkdir node && tar xzf node-linux-*.tgz -C node --strip-components=1)
  install -D -m 755 "$work/node/bin/node" "$rootfs/usr/local/bin/node"
  mkdir -p "$rootfs/usr/local/lib/node_modules" "$rootfs/usr/local/etc"
  cp -r "$(npm root -g)/npm" "$rootfs/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$rootfs/usr/local/bin/npm"
  # What this machine trusts, which is more than Debian does where a proxy opens TLS.
  cp -L /etc/ssl/certs/ca-certificates.crt "$rootfs/usr/local/share/ca-certificates/machine.crt"
  cp -L /etc/ssl/certs/ca-certificates.crt "$rootfs/etc/ssl/certs/"
  echo cafile=/etc/ssl/certs/ca-certificates.crt >"$rootfs/usr/local/etc/npmrc"
  rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/* "$rootfs"/usr/share/{doc,man,locale}/*
  du -sk "$rootfs" | cut -f1 >"$cache/base.kib"
  commit "$rootfs" / "$base"
  rm -rf "$work"
}

make_rust() {
  local work sysroot host to
  work=$(mktemp -d "$cache/rust.XXXXXX")
  sysroot=$(rustc --print sysroot)
  host=$(rustc -vV | sed -n 's/^host: //p')
  to=$work/cargo
  mkdir -p "$to/bin" "$to/lib/rustlib"
  cp "$sysroot/bin/rustc" "$sysroot/bin/cargo" "$to/bin/"
  cp -a "$sysroot"/lib/*.so* "$to/lib/"
  cp -a "$sysroot/lib/rustlib/$host" "$to/lib/rustlib/"
  mkdir "$work/rustup"
  commit "$work" /usr/local "$rust"
  rm -rf "$work"
}

# commit FOLDER WHERE NAME
commit() {
  local container
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$1" "$2" >/dev/null
  buildah commit --quiet --rm "$container" "$3" >/dev/null
}

# An image is there only once it is committed, so that a run that was broken off leaves nothing half done.
[ -s "$cache/base.kib" ] && buildah inspect --type image "$base" >/dev/null 2>&1 || make_base
buildah inspect --type image "$rust" >/dev/null 2>&1 || make_rust
