#!/bin/sh
# Stands in for MySQL 8.4's `mysqld` before that of 9, which knows no mysql_native_password: neither the switch that
# the platform starts it with, nor what the platform's statements say of it.
set -eu
umask 077
for word; do
	shift
	case $word in
	--mysql-native-password=*) continue ;;
	--init-file=*)
		sed 's/WITH mysql_native_password BY/BY/' "${word#*=}" >/tmp/init.sql
		word=--init-file=/tmp/init.sql
		;;
	esac
	set -- "$@" "$word"
done
# The last: what Debian has in its place is a folder that only its own package makes.
exec /usr/sbin/mysqld "$@" --secure-file-priv=NULL
