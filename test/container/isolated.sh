#!/usr/bin/env bash
# Runs a program of an unpacked image the way an engine does with compose.yaml's settings: it is process 1 of its own, the root is
# read-only, one folder can be written, there are no capabilities and none can be gained. The network is this machine's.
# usage: isolated.sh ROOT DATA UID GID [NAME=VALUE...] COMMAND...
set -euo pipefail
exec unshare --mount --pid --fork --kill-child=KILL --propagation private -- bash -euc '
root=$1 data=$2 uid=$3 gid=$4
shift 4
mount --bind "$root" "$root"
mount --bind "$data" "$root/discogs-data"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o nosuid,noexec,mode=755,size=64k tmpfs "$root/dev"
for device in null zero random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
# An engine puts these in place too.
for file in hosts resolv.conf; do
  : >>"$root/etc/$file"
  mount --bind "/etc/$file" "$root/etc/$file"
done
mount -o remount,bind,ro "$root"
drop="setpriv --reuid=$uid --regid=$gid --clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs"
exec chroot "$root" /usr/bin/env -i PATH=/usr/bin $drop /usr/bin/env -i -- "$@"
' isolated "$@"
