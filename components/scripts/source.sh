#!/bin/sh
# Fetches one version of a git repository, and nothing of its history: source.sh FOLDER URL [VERSION]
# GIT_USERNAME and GIT_PASSWORD, where they are set, answer the server's question for them.
set -eu
folder=$1 url=$2 version=${3:-HEAD}

git config --global init.defaultBranch main
if [ -n "${GIT_PASSWORD:-}" ]; then
	# Only for this server: a submodule elsewhere does not get the password.
	server=$(echo "$url" | sed -E 's#^(https?://[^/]+)/.*#\1#')
	# shellcheck disable=SC2016  # git's shell expands it, so that the password is in no file
	git config --global "credential.$server.helper" \
		'!f() { echo "username=$GIT_USERNAME"; echo "password=$GIT_PASSWORD"; }; f'
fi

git init --quiet "$folder"
cd "$folder"
git remote add origin "$url"
# Some servers hand out no single commits, and none an abbreviated one: then everything is fetched.
if git fetch --quiet --depth 1 origin "$version"; then
	git checkout --quiet --detach FETCH_HEAD
else
	echo "fetching the whole repository to find $version" >&2
	git fetch --quiet --tags origin
	git checkout --quiet --detach "$version"
fi
git submodule --quiet update --init --recursive --depth 1
git log -1 --format='commit %H of %cI: %s'
