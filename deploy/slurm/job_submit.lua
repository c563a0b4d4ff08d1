-- Optional: gives jobs of some partitions their power licences, and a moment to be planned, when they are submitted.
-- Beside slurm.conf, with JobSubmitPlugins=lua. It refuses nothing, and changes nothing of what a user said himself.

local PARTITIONS = { train = true } -- the default partition counts under its name only where users name it
local LICENCE = "kw" -- nil: none
local KW_PER_GPU = 1.1 -- GPU with its share of the host, at full power
local PLAN_S = 120 -- a job that could start at once waits so long to be planned; nil: not at all

local function count(text)
  if text == nil then return nil end
  local number = text:match(":(%d+)$") or text:match("=(%d+)$")
  if number then return tonumber(number) end
  return text:match("gpu") and 1 or nil
end

local function known(number) return number ~= nil and number > 0 and number < 0xfffffff0 end

local function gpus(job)
  local total = count(job.tres_per_job)
  if total then return total end
  local nodes = known(job.min_nodes) and job.min_nodes or 1
  local each = count(job.tres_per_node)
  if each then return each * nodes end
  each = count(job.tres_per_task)
  if each then return each * (known(job.num_tasks) and job.num_tasks or nodes) end
  return 0
end

local function says_off(job)
  return ((job.comment or "") .. (job.extra or "")):match("chergui=off") ~= nil
end

local function help(job)
  if not PARTITIONS[job.partition or ""] or job.script == nil or says_off(job) then return end
  local number = gpus(job)
  if number == 0 then return end
  if LICENCE and (job.licenses == nil or job.licenses == "") then
    job.licenses = LICENCE .. ":" .. math.ceil(number * KW_PER_GPU)
  end
  if PLAN_S and not known(job.begin_time) and (job.admin_comment == nil or job.admin_comment == "") then
    local now = os.time()
    job.begin_time = now + PLAN_S
    job.admin_comment = string.format(
      "chergui: is being planned; starts by itself in %d s at the latest [start=%d begin=%d restarts=0]",
      PLAN_S, now + PLAN_S, now
    )
  end
end

function slurm_job_submit(job, partitions, uid)
  local well, fault = pcall(help, job)
  if not well then slurm.log_error("chergui: a job is left as it is: %s", tostring(fault)) end
  return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, uid)
  return slurm.SUCCESS
end
