-- Operations on the task queue and its workers, after `write.lua`.

-- So many tasks are put in order in one operation; the server does nothing else meanwhile.
local MOST_ORDERED = 2000

-- Pending tasks whose moment has come, put in the order in which they are to be claimed; false where there may be more.
local function order_due(queues, now)
  local left = MOST_ORDERED
  for _, queue in ipairs(queues) do
    local waiting, ready = base .. 'tw:' .. queue, base .. 'tr:' .. queue
    local found = call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, left)
    for _, member in ipairs(found) do
      call('ZREM', waiting, member)
      call('ZADD', ready, 0, member)
    end
    left = left - #found
    if left == 0 then
      return false
    end
  end
  return true
end

local function claim(task, made)
  task.lease = made.lease
  move_task(task, 'claimed')
  call('HSET', task.row, 'worker', made.worker, 'lease', made.lease)
  call('HINCRBY', task.row, 'epoch', 1)
  return { task.name, call('HGETALL', task.row) }
end

-- The first tasks that are due; false where so many have become due that the operation is to be repeated.
function operations.claim(made)
  local queues = made.queues or call('SMEMBERS', base .. 'queues')
  if not order_due(queues, made.now) then
    return { OK, false }
  end
  local found, claimed = {}, {}
  for _, queue in ipairs(queues) do
    for _, member in ipairs(call('ZRANGE', base .. 'tr:' .. queue, 0, made.limit - 1)) do
      found[#found + 1] = member
    end
  end
  table.sort(found)
  for number = 1, math.min(made.limit, #found) do
    claimed[number] = claim(read_task(string.sub(found[number], 49)), made)
  end
  return { OK, claimed }
end

function operations.claim_one(made)
  local task = read_task(made.id)
  if not task or task.status ~= 'pending' then
    return { OK, false }
  end
  return { OK, claim(task, made) }
end

-- The task that a worker has, as long as it is the newest one to have claimed it.
local function claimed_by(made)
  local task = read_task(made.id)
  return task and task.status == 'claimed' and task.epoch == made.epoch and task
end

local function keep_progress(task, made)
  if made.progress then
    call('HSET', task.row, 'progress', take(made.progress))
  end
end

function operations.extend(made)
  local task = claimed_by(made)
  if not task then
    return { OK, 0 }
  end
  call('ZADD', base .. 'tl', made.lease, task.place)
  call('HSET', task.row, 'lease', made.lease)
  keep_progress(task, made)
  return { OK, 1 }
end

-- A message to an instance that may be gone; whether it was appended.
local function tell_instance(entry)
  local bytes, target = take(entry.size), key_of(entry.id)
  return target and append(target, entry, bytes) and 1 or 0
end

function operations.report(made)
  local task = claimed_by(made)
  if not task then
    return { OK, 0 }
  elseif made.drives then
    call('HSET', task.row, 'kind', 'wake', 'crashes', '0', 'payload', '')
    call('HDEL', task.row, 'progress')
  else
    finish_task(task)
  end
  if made.entry then
    tell_instance(made.entry)
  end
  return { OK, 1 }
end

local function take_from_worker(task, status, available)
  task.lease = '0'
  move_task(task, status, available)
  call('HSET', task.row, 'worker', '', 'lease', '0')
end

function operations.give_back(made)
  local task = claimed_by(made)
  if task then
    take_from_worker(task, 'pending', made.available)
    keep_progress(task, made)
  end
  return { OK }
end

function operations.withdraw(made)
  local task = read_task(made.id)
  if not task or task.status ~= 'pending' then
    return { OK, 0 }
  end
  finish_task(task)
  return { OK, tell_instance(made.entry) }
end

-- Unless the lease was extended, or the task claimed again, since it was read.
function operations.reap(made)
  local task = claimed_by(made)
  if not task or tonumber(task.lease) > tonumber(made.now) then
    return { OK, 0 }
  end
  take_from_worker(task, made.status)
  call('HSET', task.row, 'crashes', made.crashes)
  if made.entry then
    tell_instance(made.entry)
  end
  return { OK, 1 }
end

function operations.discard(made)
  local task = read_task(made.id)
  if not task or task.status ~= 'dead' then
    return { OK, 0 }
  end
  finish_task(task)
  return { OK, 1 }
end

-- What an application says of a task: back into the queue at a moment, or another status.
function operations.task(made)
  local task = read_task(made.id)
  if not task then
    return { NOT_FOUND, made.id }
  elseif made.available then
    take_from_worker(task, made.status, made.available)
  else
    move_task(task, made.status)
  end
  return { OK }
end

function operations.worker(made)
  call('HSET', base .. 'workers', made.id, take(made.size))
  return { OK }
end

function operations.no_worker(made)
  call('HDEL', base .. 'workers', made.id)
  return { OK }
end
