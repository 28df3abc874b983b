-- Operations on the task queue, and on what applications keep beside their workflows. A part of `write.lua`.

-- --- tasks -----------------------------------------------------------------------------------------------------------

-- What is due waits in the order in which it is to be claimed: priority, moment, age.
local function make_ready(queue, row, name, number)
  local found = call('HMGET', row, 'available', 'priority')
  call('ZADD', base .. 'tr:' .. queue, -tonumber(found[2]), found[1] .. number .. name)
end

local function return_expired(now)
  for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'tl', '-inf', now, 'LIMIT', 0, 1000)) do
    local number, name = string.sub(member, 1, 15), string.sub(member, 16)
    local row = base .. 'task:' .. name
    call('ZREM', base .. 'tl', member)
    call('HSET', row, 'status', 'pending')
    make_ready(call('HGET', row, 'queue'), row, name, number)
  end
end

local function ready_in(queue, now)
  for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'tw:' .. queue, '-inf', now, 'LIMIT', 0, 1000)) do
    local number, name = string.sub(member, 1, 15), string.sub(member, 16)
    call('ZREM', base .. 'tw:' .. queue, member)
    make_ready(queue, base .. 'task:' .. name, name, number)
  end
  return call('ZRANGE', base .. 'tr:' .. queue, 0, 0, 'WITHSCORES')
end

function operations.claim(made)
  local best
  return_expired(made.now)
  for _, queue in ipairs(made.queues or call('SMEMBERS', base .. 'queues')) do
    local found = ready_in(queue, made.now)
    local score = tonumber(found[2])
    if found[1] and (not best or score < best.score or (score == best.score and found[1] < best.member)) then
      best = { queue = queue, member = found[1], score = score }
    end
  end
  if not best then
    return { OK, false }
  end
  local number, name = string.sub(best.member, 17, 31), string.sub(best.member, 32)
  local row = base .. 'task:' .. name
  call('ZREM', base .. 'tr:' .. best.queue, best.member)
  call('ZADD', base .. 'tl', made.lease, number .. name)
  call('HINCRBY', row, 'epoch', 1)
  call('HSET', row, 'status', 'claimed', 'worker', made.worker, 'lease', made.lease)
  return { OK, name, call('HGETALL', row) }
end

-- A task gets another status; where it is pending it may be claimed again, else nobody gets it.
function operations.task(made)
  local row = base .. 'task:' .. made.id
  local found = call('HMGET', row, 'queue', 'available', 'n')
  if not found[1] then
    return { NOT_FOUND, made.id }
  end
  local queue, available, number = found[1], found[2], found[3]
  call('ZREM', base .. 'tw:' .. queue, number .. made.id)
  call('ZREM', base .. 'tr:' .. queue, available .. number .. made.id)
  if made.available then
    call('HSET', row, 'available', made.available, 'worker', '', 'lease', '0')
    available = made.available
  end
  call('HSET', row, 'status', made.status)
  if made.status ~= 'claimed' then
    call('ZREM', base .. 'tl', number .. made.id)
  end
  if made.status == 'pending' then
    call('ZADD', base .. 'tw:' .. queue, tonumber(available), number .. made.id)
  end
  return { OK }
end

-- --- what applications keep beside -----------------------------------------------------------------------------------

function operations.document(made)
  local row = base .. 'doc:' .. made.id
  if call('EXISTS', row) == 0 then
    call('HSET', row, 'created', made.now)
    call('ZADD', base .. 'docs', made.now, made.id)
  end
  call('HSET', row, 'data', take(made.data), 'labels', take(made.labels), 'updated', made.now)
  return { OK }
end

function operations.line(made)
  call('XADD', base .. 'lines:' .. made.id, text(call('INCR', base .. 'n:line')) .. '-0', 'e', take(made.size), 'v',
    made.level)
  return { OK }
end

function operations.metric(made)
  local number = text(call('INCR', base .. 'n:metric')) .. '-0'
  call('XADD', base .. 'metrics', number, 'e', take(made.size), 'm', made.name)
  call('RPUSH', base .. 'ml:' .. made.id, number)
  return { OK }
end

function operations.beat(made)
  local row = base .. 'beat:' .. made.id
  local old = call('HMGET', row, 'worker', 'step')
  if old[1] ~= made.worker or old[2] ~= made.step then
    call('HSET', row, 'worker', made.worker, 'step', made.step, 'started', made.now)
  end
  call('HSET', row, 'now', made.now, 'metadata', take(made.metadata))
  call('ZADD', base .. 'beats', made.now, made.id)
  return { OK }
end
