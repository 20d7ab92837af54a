#!/bin/sh
# Install bouquetd as a system service where there is no package for it: a wheel, systemd, Python 3.11 or newer.
#
#   sudo packaging/install.sh dist/bouquetd-*.whl        (make wheel builds it)
#   sudo packaging/install.sh --uninstall                (documents, state and configuration stay)
#
# It fetches the pinned dependencies from PyPI, or from $PIP_FIND_LINKS with PIP_NO_INDEX=1. Run it again with a
# newer wheel to upgrade: configuration, ledger and Chroma's data are kept, and what ran is started again.
set -eu

here=$(dirname "$0")
prefix=/usr/lib/bouquetd
python=${PYTHON:-python3}

die() { echo "install.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "only root may do this: sudo $0 $*"
[ $# = 1 ] || die "name the wheel, as in: $0 dist/bouquetd-*.whl, or say --uninstall"
[ ! -e /var/lib/dpkg/info/bouquetd.list ] || die "bouquetd is installed as a package; use apt instead"
command -v systemctl >/dev/null || die "there is no systemd here"

units="bouquetd.service bouquetd-chroma.service"
running=$(systemctl list-units --plain --no-legend --state=active bouquetd.service 'bouquetd@*.service' \
    bouquetd-chroma.service 2>/dev/null | awk '{print $1}') || running=""

if [ "$1" = --uninstall ]; then
    systemctl disable --now $units bouquetd-inbox.path bouquetd-restart.path $running 2>/dev/null || true
    rm -rf "$prefix" /usr/bin/bouquetd /etc/systemd/system/bouquetd.service \
        "/etc/systemd/system/bouquetd@.service" /etc/systemd/system/bouquetd-chroma.service \
        /etc/systemd/system/bouquetd.slice /etc/systemd/system/bouquetd-inbox.service \
        /etc/systemd/system/bouquetd-inbox.path /etc/systemd/system/bouquetd-restart.service \
        /etc/systemd/system/bouquetd-restart.path /etc/systemd/system/bouquetd-failed@.service /etc/sysusers.d/bouquetd.conf /etc/tmpfiles.d/bouquetd.conf
    systemctl daemon-reload
    echo "bouquetd is gone. Left: /etc/bouquetd*, /var/lib/bouquetd*, /var/spool/bouquetd*"
    exit 0
fi

wheel=$1
[ -f "$wheel" ] || die "$wheel: no such file; make wheel builds it"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || die "$python is older than 3.11; name another: PYTHON=python3.12 $0 $wheel"
"$python" -c 'import venv, ensurepip' || die "$python has no venv; install it (on Debian: python3-venv)"

# Beside the one that runs, so that a broken download harms nothing.
rm -rf "$prefix.new"
"$python" -m venv "$prefix.new"
"$prefix.new/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint "$here/constraints.txt" "$wheel"
echo /usr/local/lib/bouquetd/extractors >"$("$prefix.new/bin/python" -c 'import site; print(site.getsitepackages()[0])')/extractors.pth"

# Those that store first, and Chroma when they have let go of it.
for unit in $running; do
    [ "$unit" = bouquetd-chroma.service ] || systemctl stop "$unit"
done
[ -z "$running" ] || systemctl stop bouquetd-chroma.service
rm -rf "$prefix"
mv "$prefix.new" "$prefix"
# The commands name the place they were made in.
sed -i "1s|^#!.*|#!$prefix/bin/python -I|" "$prefix/bin/bouquetd" "$prefix/bin/chroma"
ln -sf "$prefix/bin/bouquetd" /usr/bin/bouquetd

package=$("$prefix/bin/python" -I -c 'import bouquetd, os; print(os.path.dirname(bouquetd.__file__))')
shipped=$package/units
install -d /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d
for unit in bouquetd.service bouquetd@.service bouquetd-chroma.service bouquetd-inbox.service \
    bouquetd-inbox.path bouquetd-restart.service bouquetd-restart.path bouquetd-failed@.service bouquetd.slice; do
    install -m 644 "$shipped/$unit" /etc/systemd/system/
done
install -m 644 "$shipped/inbox.tmpfiles" "$prefix/inbox.tmpfiles"
install -m 644 "$shipped/bouquetd.sysusers" /etc/sysusers.d/bouquetd.conf
install -m 644 "$shipped/bouquetd.tmpfiles" /etc/tmpfiles.d/bouquetd.conf
systemd-sysusers bouquetd.conf
systemd-tmpfiles --create bouquetd.conf
install -d /etc/bouquetd
[ -e /etc/bouquetd/bouquetd.yaml ] || bouquetd init --system bouquetd
[ -e /etc/bouquetd-chroma.yaml ] || install -m 644 "$package/defaults/chroma.yaml" /etc/bouquetd-chroma.yaml

systemctl daemon-reload
if [ -n "$running" ]; then
    systemctl start $running
    echo "Upgraded; started again: $(echo $running)"
else
    echo "Installed. Look through /etc/bouquetd/bouquetd.yaml, then: systemctl enable --now $units"
fi
