#!/bin/sh
# Installs the newest release of gloomers for Linux and macOS, below $GLOOMERS_PREFIX or ~/.local:
#
#   curl -sSfL https://github.com/gossip-gloomers/gossip-gloomers/releases/latest/download/install.sh | sh
#
# GLOOMERS_RELEASE is the address of another release's files.
set -eu

release=${GLOOMERS_RELEASE:-https://github.com/gossip-gloomers/gossip-gloomers/releases/latest/download}
prefix=${GLOOMERS_PREFIX:-$HOME/.local}

fail() {
    echo "gloomers was not installed: $*" >&2
    exit 1
}

case $(uname -m) in
x86_64 | amd64) processor=x86_64 ;;
aarch64 | arm64) processor=aarch64 ;;
*) fail "there is no package for the processor $(uname -m); with Rust, run: cargo install gossip-gloomers" ;;
esac
case $(uname -s) in
Linux)
    # glibc's ldd names it; that of musl does not.
    if ldd --version 2>&1 | grep -qi musl; then system=unknown-linux-musl; else system=unknown-linux-gnu; fi
    ;;
Darwin) system=apple-darwin ;;
*) fail "there is no package for $(uname -s); with Rust, run: cargo install gossip-gloomers" ;;
esac
name=gloomers-$processor-$system

command -v curl >/dev/null || fail "this script needs curl"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for file in "$name.tar.gz" "$name.tar.gz.sha256"; do
    curl -sSfL -o "$folder/$file" "$release/$file" || fail "$release/$file cannot be downloaded"
done
cd "$folder"
if command -v sha256sum >/dev/null; then
    sha256sum -c "$name.tar.gz.sha256" >/dev/null || fail "the archive is damaged: its checksum is another one"
else
    shasum -a 256 -c "$name.tar.gz.sha256" >/dev/null || fail "the archive is damaged: its checksum is another one"
fi
tar -xzf "$name.tar.gz"
mkdir -p "$prefix/bin" "$prefix/share"
# An installed program that is running is replaced, not overwritten.
cp "$name/bin/gloomers" "$prefix/bin/gloomers.new" || fail "$prefix/bin cannot be written; set GLOOMERS_PREFIX"
mv "$prefix/bin/gloomers.new" "$prefix/bin/gloomers"
cp -R "$name/share/." "$prefix/share/"
echo "installed $("$prefix/bin/gloomers" --version) in $prefix/bin"
case :$PATH: in
*:"$prefix/bin":*) ;;
*) echo "Add it to the search path: export PATH=\"$prefix/bin:\$PATH\"" ;;
esac
