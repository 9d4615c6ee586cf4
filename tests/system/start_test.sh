#!/bin/bash
# ./start as a newcomer uses it: everything answers, settings are written, a second start keeps the data, --stop ends it.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d /tmp/sealpost-start.XXXXXX)
chmod 755 "$dir"
fail() { echo "start_test: $*" >&2; [ -e "$dir/run/data/log/sealpost.log" ] && tail -n 20 "$dir/run/data/log/sealpost.log" >&2; exit 1; }
trap '"$root/start" --stop --dir "$dir/run" >/dev/null 2>&1; rm -rf "$dir"' EXIT
base=$((12000 + RANDOM % 19000)) # below the ports of outgoing connections
"$root/start" --dir "$dir/run" --base-port $base --detach >"$dir/out" 2>&1 || { cat "$dir/out"; fail "the first start"; }
grep -q ' 0 failed' "$dir/out" || { cat "$dir/out"; fail "verify"; }
for name in HOST SMTP_PORT SUBMISSION_PORT SUBMISSIONS_PORT POP3_PORT POP3S_PORT IMAP_PORT IMAPS_PORT NNTP_PORT NNTPS_PORT HTTP_PORT HTTPS_PORT \
    USER1 PASS1 USER2 PASS2 DOMAIN NEWSGROUP CA_FILE; do
    grep -q "^$name=." "$dir/run/settings.env" || fail "$name is not in settings.env"
done
. "$dir/run/settings.env"
[ "$IMAPS_PORT" = $((base + 993)) ] || fail "IMAPS_PORT"
printf 'From: %s\r\nTo: %s\r\nSubject: kept\r\n\r\nkept over a restart\r\n' "$USER1" "$USER2" >"$dir/mail"
curl -sS --cacert "$CA_FILE" --user "$USER1:$PASS1" --mail-from "$USER1" --mail-rcpt "$USER2" --upload-file "$dir/mail" "smtps://$HOST:$SUBMISSIONS_PORT" || fail "submission"
serial() { "$root/build/release/bin/sealpost" --config "$dir/run/sealpost.conf" cert show imap4-default --json | sed -n 's/.*"serial": *"\([0-9a-f]*\)".*/\1/p' | head -n 1; }
before=$(serial)
[ -n "$before" ] || fail "no serial number"
"$root/start" --dir "$dir/run" --detach >"$dir/out" 2>&1 && fail "a second server in the same folder was started"
"$root/start" --stop --dir "$dir/run" >/dev/null || fail "--stop"
[ ! -e "$dir/run/data/supervisor.pid" ] || kill -0 "$(cat "$dir/run/data/supervisor.pid")" 2>/dev/null && fail "it still runs"
pass=$PASS1
"$root/start" --dir "$dir/run" --detach >"$dir/out" 2>&1 || { cat "$dir/out"; fail "the second start"; }
. "$dir/run/settings.env"
[ "$PASS1" = "$pass" ] && [ "$IMAPS_PORT" = $((base + 993)) ] || fail "settings changed"
[ "$(serial)" = "$before" ] || fail "another certificate after the restart"
curl -sS --cacert "$CA_FILE" --user "$USER2:$PASS2" "imaps://$HOST:$IMAPS_PORT/INBOX;MAILINDEX=1" | grep -q 'kept over a restart' || fail "the message was lost"
log=$(sed -n "s/.*, log \(.*\))\.$/\1/p" "$dir/out")
grep -q "logged in" "$log" || fail "no login in the log that ./start names: $log"
echo "ok"
