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

-- So many tasks are looked at for those that the limits of a queue let begin; the rest by the next operation.
local MOST_LOOKED_AT = 2000

-- The concurrency keys of tasks, false for those without one.
local function keys_of(members)
  local named = {}
  for number, member in ipairs(members) do
    named[number] = string.sub(member, 49)
  end
  return #named > 0 and call('HMGET', base .. 'tk', unpack(named)) or {}
end

-- Beside the tasks of a shut queue that were found before: those that are due and no steps, up to `limit` of all.
local function add_wakes(found, queue, limit, now)
  local known = {}
  for _, item in ipairs(found) do
    known[item[1]] = true
  end
  for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'tv:' .. queue, '-inf', now, 'LIMIT', 0, limit)) do
    if not known[member] and #found < limit then
      found[#found + 1] = { member, 'wake' }
    end
  end
  return found
end

-- The first tasks of a queue that its gate lets begin, as { member, kind }; and where the next operation is to go on.
local function let_through(queue, gate, made, after)
  local found, looked = {}, 0
  while looked < MOST_LOOKED_AT and (not gate or room_of(gate) ~= 0) do
    local chunk = call('ZRANGEBYLEX', base .. 'tr:' .. queue, after and '(' .. after or '-', '+', 'LIMIT', 0, 100)
    local keys = gate and keys_of(chunk)
    for number, member in ipairs(chunk) do
      if not gate or admits(gate, 'step', keys[number]) then
        local kind = call('HGET', base .. 'task:' .. string.sub(member, 49), 'kind')
        found[#found + 1] = { member, kind }
        if gate then
          count_start(gate, kind, keys[number])
        end
        if #found == made.limit then
          return found
        end
      end
      after = member
    end
    looked = looked + #chunk
    if #chunk < 100 then
      break
    end
  end
  if gate and room_of(gate) == 0 then
    return add_wakes(found, queue, made.limit, made.now)
  end
  return found, looked >= MOST_LOOKED_AT and after or nil
end

-- The first tasks that are due and that their queues let begin; where to go on, by queue; and how long until a rate opens.
local function claim_limited(made, queues)
  local gates = open_gates(read_limits(), store_moment(made.now))
  local found, claimed, places = {}, {}, {}
  local opens
  for _, queue in ipairs(queues) do
    local gate = gates[queue]
    local some, place = let_through(queue, gate, made, made.places and made.places[queue])
    local opening = gate and opens_in(gate)
    for _, item in ipairs(some) do
      item[3] = gate
      found[#found + 1] = item
    end
    if place then
      places[#places + 1] = queue
      places[#places + 1] = place
    end
    if opening then
      opens = math.min(opens or opening, opening)
    end
  end
  table.sort(found, function(one, other) return one[1] < other[1] end)
  for number = 1, math.min(made.limit, #found) do
    local member, kind, gate = unpack(found[number])
    if gate then
      keep_start(gate, kind)
    end
    claimed[number] = claim(read_task(string.sub(member, 49)), made)
  end
  return { OK, claimed, places, opens and text(opens) or false }
end

-- The first tasks that are due; false where so many have become due that the operation is to be repeated.
function operations.claim(made)
  local queues = made.queues or call('SMEMBERS', base .. 'queues')
  if not order_due(queues, made.now) then
    return { OK, false }
  elseif call('EXISTS', base .. 'limits') == 1 then
    return claim_limited(made, queues)
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
  local gate = open_gates(read_limits(task.queue), store_moment(made.now))[task.queue]
  if gate then
    if not admits(gate, task.kind, task.key) then
      return { OK, false }
    end
    keep_start(gate, task.kind)
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
    call('HDEL', base .. 'tk', task.name)
  else
    finish_task(task)
  end
  has_work = has_work or call('EXISTS', base .. 'limits') == 1
  if made.entry then
    tell_instance(made.entry)
  end
  return { OK, 1 }
end

function operations.limits(made)
  call('HSET', base .. 'limits', made.queue, made.limits)
  has_work = true
  return { OK }
end

function operations.no_limits(made)
  call('HDEL', base .. 'starts', made.queue)
  has_work = true
  return { OK, call('HDEL', base .. 'limits', made.queue) }
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
