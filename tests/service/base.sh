#!/usr/bin/env bash
# Makes the root folder of the container: a Debian 12 with systemd, with all that our packages depend on, and with what the documents' commands and the authors of
# plugins need. Done once; again when they depend on other things.
#   base.sh PACKAGES ROOT
set -euo pipefail
packages=$1
root=$2

needs=$(dpkg-deb --field "$(find "$packages" -name 'disttask_*.deb' | head -n 1)" Depends)
needs+=", $(dpkg-deb --field "$(find "$packages" -name 'libdisttask-dev_*.deb' | head -n 1)" Depends), sudo, cmake, g++, ninja-build"
[ "$(cat "$root.needs" 2>/dev/null)" != "$needs" ] || exit 0

# From where the host has its own packages.
# shellcheck disable=SC2016 # apt-get's own variables
mirror=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' | sed -n 's/^bookworm //p' | head -n 1)
rm -rf "$root" "$root.needs"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates bookworm "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1 ||
  { tail -n 5 "$root.log" >&2; exit 1; }

# Nothing that is installed here has to survive a loss of power, and a machine with a busy disk waits for minutes.
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"

# What the package needs is installed by a package that needs the same and has nothing else in it.
stage=$(mktemp -d "${TMPDIR:-/tmp}/disttask-needs.XXXXXX")
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/DEBIAN"
printf 'Package: needs\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDepends: %s\nDescription: what disttask depends on\n' "$needs" >"$stage/DEBIAN/control"
dpkg-deb --root-owner-group --build "$stage" "$root/needs.deb" >>"$root.log"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends /needs.deb >>"$root.log" 2>&1 ||
  { tail -n 5 "$root.log" >&2; exit 1; }
# From here on services may start, and no package is fetched any more.
rm "$root/usr/sbin/policy-rc.d" "$root/needs.deb"
chroot "$root" dpkg --remove needs >>"$root.log" 2>&1
chroot "$root" apt-get clean
printf 'disttask-test\n' >"$root/etc/hostname"
printf '127.0.0.1 localhost disttask-test\n' >"$root/etc/hosts"
# Nothing here is about the network; the loopback is the host's.
chroot "$root" systemctl mask systemd-networkd-wait-online.service systemd-resolved.service apt-daily.timer apt-daily-upgrade.timer >>"$root.log" 2>&1
printf '%s\n' "$needs" >"$root.needs"
