#!/bin/sh
# Epilog of slurmd: the job has left its GPUs; the agent gives them the pool's idle cap at its next tick. Exits 0 always.
run=${CHERGUI_RUN_DIR:-/run/chergui-agent}
job=${SLURM_JOB_ID:-}
case $job in '' | *[!0-9]*) exit 0 ;; esac
rm -f "$run/placement/$job" "$run/placement/.$job.new" 2>/dev/null

dcgm=${DCGM_HPC_JOB_MAPPING_DIR:-}
if [ -n "$dcgm" ] && [ -d "$dcgm" ]; then
  for file in "$dcgm"/*; do
    [ -f "$file" ] || continue
    grep -vx "$job" "$file" >"$file.new" 2>/dev/null
    mv -f "$file.new" "$file" 2>/dev/null
  done
fi
exit 0
