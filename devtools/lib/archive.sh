# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Suites that the machine is not configured for, through an apt state of our own below the
# cache: the system's sources and package lists stay as they are. The archive's address
# and keyring are those that the machine itself uses.

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Base address of the archive that has a suite of this release's ("bookworm-security" may
# live elsewhere than the rest).
archive_of() {
	local suite=$1 codename
	codename=$(os_field VERSION_CODENAME)
	case $suite in
	"$codename"-security) ;;
	*) suite=$codename ;;
	esac
	apt-get indextargets --format '$(RELEASE) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
		awk -v suite="$suite" '$1 == suite || $2 == suite { print $NF; exit }'
}

# private_apt NAME deb|deb-src SUITE...: sets up the state NAME with these suites.
private_apt() {
	local root=$CACHE/apt/$1 type=$2 suite uri codename
	shift 2
	codename=$(os_field VERSION_CODENAME)
	# apt tells the address of an archive only after it has read its index.
	if [ -z "$(archive_of "$codename")" ] || [ -z "$(archive_of "$codename-security")" ]; then
		apt_install update
	fi
	mkdir -p "$root/lists/partial" "$root/cache/archives/partial" "$root/empty"
	for suite in "$@"; do
		uri=$(archive_of "$suite")
		if [ -n "$uri" ]; then
			echo "$type [signed-by=$DEBIAN_KEYRING] $uri $suite main"
		elif [ "$suite" != "$codename-security" ]; then
			echo "apt is not configured with Debian's $codename archive" >&2
			return 1
		fi
	done >"$root/sources.list"
}

# apt_in NAME COMMAND...: apt-get with that state, and its preferences if it has any. What it
# installs is really installed.
apt_in() {
	local root=$CACHE/apt/$1
	shift
	apt_install -o Dir::State::lists="$root/lists" -o Dir::Cache="$root/cache" \
		-o Dir::Etc::sourcelist="$root/sources.list" -o Dir::Etc::sourceparts="$root/empty" \
		-o Dir::Etc::preferences="$root/preferences" -o Dir::Etc::preferencesparts="$root/empty" \
		-o APT::Sandbox::User=root \
		-o APT::Architectures=amd64 -o Acquire::Languages=none \
		-o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false "$@"
}

# Newest available package whose name matches a pattern, of all suites of the state:
# "NAME VERSION". newest_package NAME REGEX MINIMUM
newest_package() {
	local root=$CACHE/apt/$1 name version best='' best_version=
	while read -r name version; do
		dpkg --compare-versions "$version" ge "$3" || continue
		if [ -z "$best" ] || dpkg --compare-versions "$version" gt "$best_version"; then
			best=$name best_version=$version
		fi
	done < <(apt_in "$1" indextargets --format '$(FILENAME)' 'Created-By: Packages' |
		xargs -r -d '\n' /usr/lib/apt/apt-helper cat-file |
		awk -v pattern="^$2\$" '
			$1 == "Package:" { name = $2 }
			$1 == "Version:" && name ~ pattern { print name, $2 }')
	[ -n "$best" ] && echo "$best $best_version"
}
