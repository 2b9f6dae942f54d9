#!/usr/bin/env bash
# A real SLURM of one node as plain processes, for the tests: one_node_slurm.sh up|down FOLDER
# Debian packages slurm-wlm and munge; run as root. slurm.conf has to lie at /etc/slurm, where batch jobs look for it,
# so a machine that has one is left alone.
set -euo pipefail
action=${1:?up or down}
folder=${2:?a folder for state and logs}

stop() {
    for daemon in slurmd slurmctld munged; do
        if [ -f "$folder/run/$daemon.pid" ]; then kill "$(cat "$folder/run/$daemon.pid")" 2>/dev/null || true; fi
    done
    # the next one needs its ports
    for _ in $(seq 150); do
        if ! pgrep -x slurmctld >/dev/null && ! pgrep -x slurmd >/dev/null; then break; fi
        sleep 0.2
    done
    if [ -L /etc/slurm/slurm.conf ] && [ "$(readlink /etc/slurm/slurm.conf)" = "$folder/slurm.conf" ]; then
        rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf
    fi
}

start() {
    if [ -e /etc/slurm/slurm.conf ]; then
        echo "/etc/slurm/slurm.conf is there already: this machine has a SLURM of its own" >&2
        exit 1
    fi
    local host memory
    host=$(hostname -s)
    memory=$(slurmd -C | sed -n 's/.*RealMemory=\([0-9]*\).*/\1/p')
    mkdir -p "$folder"/{state,spool,log,run} /etc/slurm
    chmod 755 "$folder"
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
MinJobAge=600
KillWait=5
InactiveLimit=0
JobRequeue=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$((memory - 512)) Gres=gpu:1 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE DefMemPerCPU=1024 State=UP
CONF
    # a file that stands for a GPU: enough for scheduling
    echo "NodeName=$host Name=gpu File=/dev/null" >"$folder/gres.conf"
    ln -s "$folder/slurm.conf" "$folder/gres.conf" /etc/slurm/
    munged --force --key-file="$folder/munge.key" --socket="$folder/run/munge.socket" \
        --pid-file="$folder/run/munged.pid" --log-file="$folder/log/munged.log" --seed-file="$folder/run/munged.seed"
    slurmctld -c
    slurmd -c
    for _ in $(seq 100); do
        if sinfo --noheader --format %T 2>/dev/null | grep -q idle; then return; fi
        sleep 0.2
    done
    echo "the node never became idle:" >&2
    tail -n 5 "$folder"/log/*.log >&2
    stop
    exit 1
}

case $action in
up) start ;;
down) stop ;;
*)
    echo "say up or down, not $action" >&2
    exit 2
    ;;
esac
