#!/bin/sh
# Prolog of slurmd: says which job has which GPUs of this node, so that the agent's caps follow the job. It asks nobody and
# waits for nothing; whatever goes wrong, it exits 0, because a prolog that fails drains the node. In slurm.conf:
#   Prolog=/etc/chergui/slurm/prolog.sh   Epilog=/etc/chergui/slurm/epilog.sh   PrologFlags=Alloc
run=${CHERGUI_RUN_DIR:-/run/chergui-agent}
job=${SLURM_JOB_ID:-}
case $job in '' | *[!0-9]*) exit 0 ;; esac
# Without the folder nobody knows placement, and every GPU has the pool's default. It is made at boot, not here: made while
# other jobs run, it would say that their GPUs are free.
[ -d "$run/placement" ] || exit 0

list= gpus=
IFS=,
for part in ${SLURM_JOB_GPUS:-}; do
  case $part in
    '' | *[!0-9-]* | -* | *- | *-*-*) exit 0 ;; # no form that we know: the pool's default holds
    *-*) first=${part%-*} last=${part#*-} ;;
    *) first=$part last=$part ;;
  esac
  while [ "$first" -le "$last" ]; do
    list="$list${list:+, }$first" gpus="$gpus,$first" first=$((first + 1))
  done
done
[ -n "$list" ] || exit 0

{
  printf '{"job": "slurm-%s", "gpus": [%s]}' "$job" "$list" >"$run/placement/.$job.new" &&
    mv -f "$run/placement/.$job.new" "$run/placement/$job"
} 2>/dev/null

# dcgm-exporter's --hpc-job-mapping-dir: one file a GPU, one job a line.
dcgm=${DCGM_HPC_JOB_MAPPING_DIR:-}
if [ -n "$dcgm" ] && [ -d "$dcgm" ]; then
  for gpu in ${gpus#,}; do printf '%s\n' "$job" >>"$dcgm/$gpu"; done 2>/dev/null
fi
exit 0
