#!/usr/bin/env bash
# Cuts the power under load, as the disk sees it: the hub's data lie on an ext4 image on a file system that can copy a file in an instant.
# Each cut copies first what was promised (the load generator's ledger), then the image as it is. What the kernel had not written yet is
# not in the copy; mounting it replays the file system's journal, as a boot after a power cut does. Needs root and a mount namespace of
# its own: unshare -m --propagation private tests/stories/power_cut.sh GATEWAY DEVICE_SIM CUTS DIRECTORY
set -euo pipefail
gateway=$1 sim=$2 cuts=$3 dir=$4
cd "$dir"
loops=() pids=()
finish() {
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  umount mc mi 2>/dev/null || true
  for loop in "${loops[@]}"; do losetup -d "$loop" 2>/dev/null || true; done
  umount mh 2>/dev/null || true
  losetup -d "$host" 2>/dev/null || true
}
host=
trap finish EXIT
wait_for() { for _ in $(seq 600); do "$@" && return; sleep 0.05; done; echo "not ready: $*" >&2; exit 1; }
field() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(d[sys.argv[2]])' "$@"; }

mkdir mh mi mc
truncate -s 8G host.img
mkfs.xfs -q -m reflink=1 host.img
host=$(losetup -f --show host.img)
mount "$host" mh
truncate -s 1G mh/disk.img
mkfs.ext4 -q mh/disk.img
disk=$(losetup -f --show --direct-io=on mh/disk.img)
loops+=("$disk")
mount "$disk" mi

# small segments, so that segments are born all the time
export JIMING__JOURNAL__SEGMENT_BYTES=1048576
"$gateway" demo --devices 0 --mqtt 127.0.0.1:0 --http 127.0.0.1:0 --data mi/hub > hub.log 2>&1 &
pids+=($!)
wait_for test -s mi/hub/demo.json
cp mi/hub/demo.json demo.json
sync -f mi/hub
"$sim" load --credentials demo.json --connections 20 --window 20 --rate 2500 --seconds 600 --payload-bytes 250 --acked acked \
  --report load.json > load.log 2>&1 &
pids+=($!)
wait_for test -s acked
for cut in $(seq "$cuts"); do
  sleep "0.$((RANDOM % 400 + 100))"
  cp acked "acked.$cut"
  cp --reflink=always mh/disk.img "mh/cut.$cut"
done
kill -9 "${pids[@]}"
wait 2>/dev/null || true
pids=()
umount mi
losetup -d "$disk"
loops=()

token=$(python3 -c 'import json; print(next(u["token"] for u in json.load(open("demo.json"))["users"] if u["role"] == "administrator"))')
lost=0
for cut in $(seq "$cuts"); do
  sed -i '$d' "acked.$cut" # the last line may have been copied half-way
  loop=$(losetup -f --show "mh/cut.$cut")
  loops=("$loop")
  mount "$loop" mc
  rm -f mc/hub/demo.json
  "$gateway" journal verify mc/hub/journal > verify.log || true
  "$gateway" demo --devices 0 --mqtt 127.0.0.1:0 --http 127.0.0.1:0 --data mc/hub > "hub.$cut.log" 2>&1 &
  pids=($!)
  wait_for test -s mc/hub/demo.json
  if ! "$sim" verify --acked "acked.$cut" --api "$(field mc/hub/demo.json http)" --token "$token" > "verdict.$cut" 2>&1; then
    lost=$((lost + 1))
    echo "cut $cut: $(head -n 3 "verdict.$cut"); journal: $(tail -n 3 verify.log)"
  fi
  echo "cut $cut: $(head -n 1 "verdict.$cut")"
  kill -9 "${pids[@]}"
  wait 2>/dev/null || true
  pids=()
  umount mc
  losetup -d "$loop"
  loops=()
  rm "mh/cut.$cut"
done
echo "$cuts cuts, $lost with a loss"
[ "$lost" -eq 0 ]
